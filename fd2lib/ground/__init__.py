"""Ground: settings, recipes, errors, seeded generators and safe files. Imports nothing else of fd2lib."""

from fd2lib.ground.declaration import StageSettings, identity, setting, setting_values
from fd2lib.ground.errors import ArtefactError, DataError, Fd2Error, SettingError, ShapeError, TrainingError, unknown
from fd2lib.ground.files import atomic_path, file_digest, read_json, write_json
from fd2lib.ground.layers import SCALES, add_recipes, join_overrides, parse_numbers, parse_overrides, read_tables
from fd2lib.ground.random import derive_seed, make_generator, seeded_initialisation
from fd2lib.ground.recipes import Recipe, list_bundles, list_methods, list_teacher_kinds, load_recipe
from fd2lib.ground.settings import (
    DistillSettings,
    EvaluateSettings,
    PretrainSettings,
    RelabelSettings,
    build_settings,
    declare_setting,
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
    "StageSettings",
    "TrainingError",
    "add_recipes",
    "atomic_path",
    "build_settings",
    "declare_setting",
    "derive_seed",
    "file_digest",
    "identity",
    "join_overrides",
    "list_bundles",
    "list_methods",
    "list_teacher_kinds",
    "load_recipe",
    "make_generator",
    "parse_numbers",
    "parse_overrides",
    "read_json",
    "read_tables",
    "seeded_initialisation",
    "setting",
    "setting_values",
    "unknown",
    "write_json",
]
