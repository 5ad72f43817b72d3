"""Recipe files: the package's tables, and what users' files of the same form add to them."""

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from fd2lib.ground.by_stage import STAGES
from fd2lib.ground.errors import SettingError, shortened, unknown
from fd2lib.ground.files import require_file

GENERAL = "general"
SCALES = ("toy", "reduced", "paper")
NAMED = ("methods", "bundles", "studies", "plans")  # files of named tables, which are added to and never replaced
# What a table of each kind must say, with the type of it; a plan may leave out all.
_SAYS: dict[str, dict[str, type]] = {
    "methods.method": {"title": str, "pieces": list},
    "methods.teacher": {"title": str, "pieces": list},
    "studies": {"title": str, "reference": str, "arms": dict},
    "bundles": {"title": str},
}
_LAYERS = {"all": 0, "piece": 1, "dataset": 1, "backbone": 1, "pair": 1, "dataset_piece": 1}  # names before the stage
_added: dict[str, dict[str, Any]] = {}  # a user's file -> its tables


@functools.cache
def read_tables(name: str) -> dict[str, Any]:
    """Return one of the package's recipe files, with what users' files add to it (see :func:`add_recipes`)."""
    text = resources.files("fd2lib.ground").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    for own in _added.values():
        tables = _merged(tables, own.get(name, {}))
    return tables


def add_recipes(path: str | Path) -> None:
    """Add methods, studies, plans, bundles and values of recipes from a user's TOML file.

    Its tables are named like the package's files: ``[methods.method.mine]``, ``[studies.mine]``, ``[plans.mine]``,
    ``[reduced.dataset.my_birds.distill]``. A value may be plain; its source is then the file. Reading a file again
    takes what it says now.

    Raises:
        SettingError: the file is missing or no TOML, a table has another name, or one replaces the package's.
    """
    path = Path(path)
    tables = read_toml(path, "recipes")
    for name, table in tables.items():
        if name not in (*SCALES, *NAMED):
            raise SettingError(f"{path}: {unknown('table', name, (*SCALES, *NAMED))}")
        _require_form(path, name, table)
    key, methods = str(path.resolve()), tables.get("methods", {})
    own = {name: table if name in NAMED else _sourced(table, path.name) for name, table in tables.items()}
    own |= {"methods": {**methods, "piece": _sourced(methods.get("piece", {}), path.name)}}
    if _added.get(key) == own:  # every experiment of a grid asks for it; the package's files are parsed once
        return
    _added.pop(key, None)
    read_tables.cache_clear()
    for name in NAMED:
        if twice := _leaves(tables.get(name, {})) & _leaves(read_tables(name)):
            raise SettingError(f"{path} defines {name} {sorted(twice)[0]!r}, which exists; choose another name.")
    _added[key] = own
    read_tables.cache_clear()


def _leaves(tables: Mapping[str, Any]) -> set[str]:
    """Names that a file of named tables defines; of methods one level deeper."""
    deep = [f"{kind}.{name}" for kind in ("method", "piece", "teacher") for name in tables.get(kind, {})]
    return set(deep) | {name for name in tables if name not in ("method", "piece", "teacher")}


def _sourced(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Plain values as entries whose source is the file."""
    return {
        name: ({"from": source, **entry} if "value" in entry else _sourced(entry, source))
        if isinstance(entry, Mapping)
        else {"value": entry, "from": source}
        for name, entry in table.items()
    }


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for name, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(both.get(name), Mapping) and "value" not in value
        both[name] = _merged(both[name], value) if nested else value
    return both


def read_toml(path: str | Path, what: str) -> dict[str, Any]:
    """Return a user's TOML file; ``what`` is what it should hold, in words.

    Raises:
        SettingError: it is missing, unreadable or no TOML.
    """
    try:
        require_file(path)
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(
            f"cannot read {what} from {shortened(str(path))} ({reason}); expected a TOML file."
        ) from error


def _require_form(path: Path, name: str, table: Any) -> None:
    """Check that a user's tables are as deep as the package's, and say what each must; values are checked in use."""
    if name in SCALES:
        _require_layers(path, name, table)
        return
    if name == "methods":
        for kind, own in _tables_in(path, name, table).items():
            if kind not in ("method", "piece", "teacher"):
                raise SettingError(f"{path}: {unknown('table of methods', kind, ('method', 'piece', 'teacher'))}")
            for piece, one in _tables_in(path, f"methods.{kind}", own).items():
                if kind == "piece":
                    _require_stages(path, f"methods.piece.{piece}", one)
                else:
                    _require_says(path, f"methods.{kind}", piece, one)
        return
    for key, one in _tables_in(path, name, table).items():
        _require_says(path, name, key, one)
        if name == "bundles":
            _require_layers(path, f"bundles.{key}", {part: own for part, own in one.items() if part != "title"})
        for arm, own in _tables_in(path, f"studies.{key}.arms", one["arms"]).items() if name == "studies" else ():
            if not isinstance(own, Mapping) or not isinstance(own.get("title"), str):
                raise SettingError(f"{path}: arm {arm!r} of study {key!r} lacks a title; expected a text.")


def _require_says(path: Path, kind: str, name: str, table: Any) -> None:
    for key, type_ in _SAYS.get(kind, {}).items():
        if not isinstance(table, Mapping) or not isinstance(table.get(key), type_):
            words: dict[Any, str] = {str: "text", list: "list of names", dict: "table"}
            seen = table.get(key) if isinstance(table, Mapping) else table
            raise SettingError(f"{path}: {key} of {kind}.{name} is {shortened(seen)}; expected a {words[type_]}.")


def _require_layers(path: Path, where: str, table: Any) -> None:
    for layer, own in _tables_in(path, where, table).items():
        if layer not in _LAYERS:
            raise SettingError(f"{path}: {unknown(f'table of {where}', layer, _LAYERS)}")
        parts = {layer: own} if not _LAYERS[layer] else _tables_in(path, f"{where}.{layer}", own)
        for key, stages in parts.items():
            _require_stages(path, f"{where}.{layer}.{key}" if _LAYERS[layer] else f"{where}.all", stages)


def _require_stages(path: Path, where: str, table: Any) -> None:
    for stage, own in _tables_in(path, where, table).items():
        if stage not in (GENERAL, *STAGES):
            raise SettingError(f"{path}: {unknown(f'stage in {where}', stage, (GENERAL, *STAGES))}")
        _tables_in(path, f"{where}.{stage}", own)


def _tables_in(path: Path, where: str, table: Any) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise SettingError(f"{path}: {where} is {shortened(table)}; expected a table.")
    return table
