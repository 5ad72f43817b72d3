"""Recipes: TOML tables that say what every setting is, and where the value comes from.

A recipe is resolved from (scale, data set, backbone, method) by laying tables over one another, later ones
winning: ``all``, ``method``, ``dataset``, ``backbone``, ``pair`` (data set and backbone). Methods are data:
``methods.toml`` lists, for each, the scale-independent pieces it is made of.
"""

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from fd2lib.ground.errors import SettingError, unknown
from fd2lib.ground.settings import (
    STAGES,
    DistillSettings,
    EvaluateSettings,
    PretrainSettings,
    RelabelSettings,
    build_settings,
)

SCALES = ("toy", "reduced", "paper")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages for one experiment, with the source of each value."""

    scale: str
    dataset: str
    backbone: str
    method: str
    title: str  # the method's display name
    image_size: int  # pixels, square
    classes: str  # class subset, "" for all
    pretrain: PretrainSettings
    distill: DistillSettings
    relabel: RelabelSettings
    evaluate: EvaluateSettings
    sources: Mapping[str, str] = field(hash=False)  # "distill.learning_rate" -> where the value comes from


def list_methods() -> dict[str, str]:
    """Return every method's name and display title."""
    return {name: table["title"] for name, table in _read("methods")["method"].items()}


def load_recipe(
    scale: str,
    *,
    dataset: str,
    method: str,
    backbone: str = "",
    ipc: int = 1,
    seed: int = 0,
    image_size: int = 0,
    classes: str | None = None,
    overrides: Mapping[str, Any] | str | None = None,
) -> Recipe:
    """Resolve a recipe.

    Args:
        scale: ``toy``, ``reduced`` or ``paper``.
        dataset: a registered data set; sets without tables of their own take the scale's defaults.
        method: one of :func:`list_methods`.
        backbone: teacher and student; empty takes the scale's default for the data set.
        ipc: images per class.
        seed: seed of every stage.
        image_size: pixels; 0 takes the scale's default for the data set.
        classes: class subset; ``None`` takes the scale's default for the data set, ``""`` all classes.
        overrides: ``{"distill.iterations": 100}``, or the same as ``"distill.iterations=100 pretrain.epochs=3"``.
            What makes a method what it is stays: random real images are not optimised whatever is asked of others.

    Raises:
        SettingError: an unknown scale, method or setting, or a value out of range.
    """
    if scale not in SCALES:
        raise SettingError(unknown("scale", scale, SCALES))
    methods = _read("methods")
    if method not in methods["method"]:
        raise SettingError(unknown("method", method, methods["method"]))
    pieces = methods["method"][method]["pieces"]
    tables = _read(scale)
    general = _layer(tables, dataset, "", [], "general")
    chosen = backbone or _plain(general, "backbone")
    general = _layer(tables, dataset, chosen, pieces, "general")

    given = {"backbone": chosen, "ipc": ipc, "seed": seed}
    entries, fixed = _entries(tables, methods["piece"], pieces, dataset, given)
    values = {key: _value(entry) for key, entry in entries.items()}
    sources = {key: entry["from"] for key, entry in entries.items()}
    asked = parse_overrides(overrides)
    _override(values, sources, asked, fixed)
    if not values["pretrain.attention"] and "distill.attention_ratio" not in asked:
        values["distill.attention_ratio"] = 0.0
        sources["distill.attention_ratio"] = "the teacher has no head"

    stages = {stage: build_settings(stage, _of_stage(values, stage)) for stage in STAGES}
    return Recipe(
        scale=scale,
        dataset=dataset,
        backbone=chosen,
        method=method,
        title=methods["method"][method]["title"],
        image_size=image_size or _plain(general, "image_size"),
        classes=_plain(general, "classes") if classes is None else classes,
        sources=sources,
        **stages,
    )


def _entries(
    tables: dict, all_pieces: dict, pieces: list[str], dataset: str, given: dict[str, Any]
) -> tuple[dict[str, dict], set[str]]:
    """All settings of all stages as ``{"stage.name": {value, from}}``, and those that the method's pieces fix."""
    entries: dict[str, dict] = {}
    fixed: set[str] = set()
    for stage in STAGES:
        of_pieces = [all_pieces[piece].get(stage, {}) for piece in pieces]
        fixed |= {f"{stage}.{name}" for layer in of_pieces for name in layer}
        own = _stage_entries(stage, given["backbone"], given["ipc"], given["seed"])
        for layer in [own, _layer(tables, dataset, given["backbone"], pieces, stage), *of_pieces]:
            entries |= {f"{stage}.{name}": entry for name, entry in layer.items()}
    return entries, fixed


def _override(values: dict[str, Any], sources: dict[str, str], asked: dict[str, Any], fixed: set[str]) -> None:
    """Put what the caller asked for in place, except where it would make the method another one."""
    for key, value in asked.items():
        if key not in values:
            near = [name for name in values if name.split(".")[0] == key.split(".")[0]] or values
            raise SettingError(unknown("setting", key, near))
        if key not in fixed:
            values[key], sources[key] = value, "override"


def parse_overrides(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return overrides as a dictionary; text is split at blanks or commas into ``stage.setting=value``.

    Raises:
        SettingError: a piece of text that is not ``stage.setting=value``.
    """
    if not isinstance(overrides, str):
        return dict(overrides or {})
    parsed: dict[str, Any] = {}
    for item in overrides.replace(",", " ").split():
        key, sign, text = item.partition("=")
        if not sign or "." not in key:
            raise SettingError(
                f"override {item!r} is not of the form stage.setting=value, as in distill.iterations=100."
            )
        parsed[key] = _literal(text)
    return parsed


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word such as whole


def _stage_entries(stage: str, backbone: str, ipc: int, seed: int) -> dict[str, dict[str, Any]]:
    """Settings that the caller gives rather than a recipe."""
    entries: dict[str, Any] = {"seed": seed}
    if stage in ("distill", "relabel"):
        entries["ipc"] = ipc
    if stage == "pretrain":
        entries["backbone"] = backbone
    if stage == "evaluate":
        entries["student"] = backbone
    return {name: {"value": value, "from": "caller"} for name, value in entries.items()}


def _layer(tables: dict, dataset: str, backbone: str, pieces: list[str], stage: str) -> dict[str, dict]:
    """Lay one stage's tables of a scale file over one another."""
    merged = dict(tables.get("all", {}).get(stage, {}))
    keys = [("piece", piece) for piece in pieces]
    keys += [("dataset", dataset), ("backbone", backbone), ("pair", f"{dataset}/{backbone}")]
    keys += [("dataset_piece", f"{dataset}/{piece}") for piece in pieces]
    for group, key in keys:
        merged |= tables.get(group, {}).get(key, {}).get(stage, {})
    return merged


def _of_stage(values: dict[str, Any], stage: str) -> dict[str, Any]:
    return {key.split(".", 1)[1]: value for key, value in values.items() if key.startswith(f"{stage}.")}


def _plain(entries: dict[str, dict], name: str) -> Any:
    if name not in entries:
        raise SettingError(f"the recipe says nothing about {name}; give it explicitly.")
    return _value(entries[name])


def _value(entry: dict[str, Any]) -> Any:
    value = entry["value"]
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"a recipe holds the value {value}; expected a finite number.")
    return value


@functools.cache
def _read(name: str) -> dict[str, Any]:
    text = resources.files("fd2lib.ground").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
