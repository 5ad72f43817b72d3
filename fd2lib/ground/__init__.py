"""Ground: settings, recipes, errors, seeded generators and safe files. Imports nothing else of fd2lib."""

from fd2lib.ground.errors import ArtefactError, DataError, Fd2Error, SettingError, ShapeError, TrainingError, unknown
from fd2lib.ground.files import atomic_path, read_json, write_json
from fd2lib.ground.layers import parse_numbers, parse_overrides, read_tables
from fd2lib.ground.random import derive_seed, make_generator, seeded_initialisation
from fd2lib.ground.recipes import SCALES, Recipe, list_bundles, list_methods, list_teachers, load_recipe
from fd2lib.ground.settings import (
    DistillSettings,
    EvaluateSettings,
    PretrainSettings,
    RelabelSettings,
    build_settings,
    declare_setting,
    identity,
)

__all__ = [
    "SCALES",
    "ArtefactError",
    "DataError",
    "DistillSettings",
    "EvaluateSettings",
    "Fd2Error",
    "PretrainSettings",
    "Recipe",
    "RelabelSettings",
    "SettingError",
    "ShapeError",
    "TrainingError",
    "atomic_path",
    "build_settings",
    "declare_setting",
    "derive_seed",
    "identity",
    "list_bundles",
    "list_methods",
    "list_teachers",
    "load_recipe",
    "make_generator",
    "parse_numbers",
    "parse_overrides",
    "read_json",
    "read_tables",
    "seeded_initialisation",
    "unknown",
    "write_json",
]
