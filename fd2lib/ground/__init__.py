"""Ground: settings, recipes, errors, seeded generators and safe files. Imports nothing else of fd2lib.

Nor PyTorch, which takes seconds: functions that need it import it, and ``fd2lib.ground.channels`` is imported by name.
"""

from fd2lib.ground.batches import batch_sizes
from fd2lib.ground.by_stage import build_settings, declare_setting
from fd2lib.ground.declaration import StageSettings, identity, setting, setting_values
from fd2lib.ground.devices import widest_float
from fd2lib.ground.errors import (
    UNPRINTABLE,
    ArtefactError,
    DataError,
    Fd2Error,
    ProcessError,
    SettingError,
    ShapeError,
    TrainingError,
    one_line,
    require,
    shortened,
    unknown,
)
from fd2lib.ground.files import (
    atomic_path,
    atomic_stream,
    cannot_write,
    file_digest,
    is_leftover,
    is_whole,
    read_json,
    remove_leftovers,
    require_file,
    reserve,
    stamped_files,
    write_json,
    write_text,
)
from fd2lib.ground.layers import join_overrides, parse_overrides
from fd2lib.ground.locks import locked
from fd2lib.ground.memory import kept_memory, require_memory, total_memory
from fd2lib.ground.parameters import settle_injected
from fd2lib.ground.random import derive_seed, make_generator, seeded_initialisation
from fd2lib.ground.ranks import from_all, from_first, is_first, mapped, rank, share, together, world
from fd2lib.ground.recipe import Recipe
from fd2lib.ground.recipe_files import SCALES, add_recipes, read_tables, read_toml
from fd2lib.ground.recipes import list_bundles, list_methods, list_teacher_kinds, load_recipe
from fd2lib.ground.settings import DistillSettings, EvaluateSettings, PretrainSettings, RelabelSettings
from fd2lib.ground.typed import fitting_option, parse_names, parse_numbers

settle_injected()  # in a notebook, whose first import of any room comes by here
