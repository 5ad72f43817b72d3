"""How a recipe's tables are laid over one another, and how callers override them."""

import dataclasses
import functools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from fd2lib.ground.errors import SettingError, unknown
from fd2lib.ground.settings import STAGES, build_settings

Entry = dict[str, Any]  # {"value": …, "from": where it comes from}


@functools.cache
def read_tables(name: str) -> dict[str, Any]:
    """Return one of the package's recipe files."""
    text = resources.files("fd2lib.ground").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True)
class Layers:
    """Tables of a scale, then of a bundle, then what the method's pieces fix; later ones win.

    Within a scale or bundle: ``all``, ``piece``, ``dataset``, ``backbone``, ``pair`` (data set and backbone),
    ``dataset_piece``.
    """

    tables: Sequence[dict]  # the scale's, then the bundle's where one is asked for
    fixing: Mapping[str, dict]  # piece -> stage -> settings it fixes at every scale
    dataset: str

    def stage(self, stage: str, backbone: str, pieces: Sequence[str]) -> dict[str, Entry]:
        """Return one stage's entries, without what pieces fix."""
        keys = [("piece", piece) for piece in pieces]
        keys += [("dataset", self.dataset), ("backbone", backbone), ("pair", f"{self.dataset}/{backbone}")]
        keys += [("dataset_piece", f"{self.dataset}/{piece}") for piece in pieces]
        merged: dict[str, Entry] = {}
        for tables in self.tables:
            merged |= tables.get("all", {}).get(stage, {})
            for group, key in keys:
                merged |= tables.get(group, {}).get(key, {}).get(stage, {})
        return merged

    def resolve(
        self, pieces: Sequence[str], given: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return all values and their sources, keyed ``stage.setting``.

        Args:
            pieces: what the method is made of.
            given: ``backbone``, ``student``, ``ipc``, ``seed``.
            asked: overrides; one that would make the method another one is not followed.

        Raises:
            SettingError: an unknown setting is asked for.
        """
        values: dict[str, Any] = {
            f"{stage}.{field.name}": field.default
            for stage, kind in STAGES.items()
            for field in dataclasses.fields(kind)
            if field.metadata.get("declared")
        }
        sources: dict[str, str] = dict.fromkeys(values, "default")
        fixed: set[str] = set()
        for stage in STAGES:
            of_pieces = [self.fixing[piece].get(stage, {}) for piece in pieces]
            fixed |= {f"{stage}.{name}" for layer in of_pieces for name in layer}
            backbone = given["student"] if stage == "evaluate" else given["backbone"]
            for layer in [_of_caller(stage, given), self.stage(stage, backbone, pieces), *of_pieces]:
                values |= {f"{stage}.{name}": plain_value(entry) for name, entry in layer.items()}
                sources |= {f"{stage}.{name}": entry["from"] for name, entry in layer.items()}
        for key, value in asked.items():
            if key not in values:
                near = [name for name in values if name.split(".")[0] == key.split(".")[0]] or values
                raise SettingError(unknown("setting", key, near))
            if key not in fixed:
                values[key], sources[key] = value, "override"
        if not values["pretrain.attention"] and "distill.attention_ratio" not in asked:
            values["distill.attention_ratio"], sources["distill.attention_ratio"] = 0.0, "the teacher has no head"
        return values, sources


def build_stage(stage: str, values: Mapping[str, Any]) -> Any:
    """Return one stage's settings object from values keyed ``stage.setting``."""
    own = {key.split(".", 1)[1]: value for key, value in values.items() if key.startswith(f"{stage}.")}
    return build_settings(stage, own)


def _of_caller(stage: str, given: Mapping[str, Any]) -> dict[str, Entry]:
    """Settings that the caller gives rather than a recipe."""
    entries: dict[str, Any] = {"seed": given["seed"]}
    if stage in ("distill", "relabel"):
        entries["ipc"] = given["ipc"]
    if stage == "pretrain":
        entries["backbone"] = given["backbone"]
    if stage == "evaluate":
        entries["student"] = given["student"]
    return {name: {"value": value, "from": "caller"} for name, value in entries.items()}


def plain_value(entry: Entry) -> Any:
    """Return an entry's value.

    Raises:
        SettingError: it is not finite.
    """
    value = entry["value"]
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"a recipe holds the value {value}; expected a finite number.")
    return value


def parse_overrides(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return overrides as a dictionary; text is split at blanks or commas into ``stage.setting=value``.

    A value with blanks stands in double quotes, as in ``distill.phases="3@40 4@48"``.

    Raises:
        SettingError: a piece of text that is not ``stage.setting=value``.
    """
    if not isinstance(overrides, str):
        return dict(overrides or {})
    parsed: dict[str, Any] = {}
    for item in _split(overrides):
        key, sign, text = item.partition("=")
        if not sign or "." not in key:
            raise SettingError(
                f"override {item!r} is not of the form stage.setting=value, as in distill.iterations=100."
            )
        parsed[key] = _literal(text)
    return parsed


def parse_numbers(name: str, text: str) -> list[int]:
    """Return whole numbers from a text such as ``"1,3"``; ``name`` is what an error calls the text.

    Raises:
        SettingError: something else stands there, or nothing.
    """
    try:
        return [int(item) for item in text.split(",")]
    except ValueError as error:
        raise SettingError(f"{name} is {text!r}; expected whole numbers separated by commas, as 1,3.") from error


def _split(text: str) -> list[str]:
    """Split at blanks and commas outside double quotes."""
    parts = text.split('"')
    outside = ["\0".join(part.replace(",", " ").split(" ")) for part in parts[::2]]
    parts[::2] = outside
    return [item for item in '"'.join(parts).split("\0") if item.strip()]


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word such as whole
