"""How a recipe's tables are laid over one another: the package's, a user's, pieces', a caller's overrides."""

import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fd2lib.ground.by_stage import STAGES, build_settings
from fd2lib.ground.declaration import fitting, setting_fields
from fd2lib.ground.errors import SettingError, require, shortened, unknown
from fd2lib.ground.recipe_files import GENERAL
from fd2lib.ground.settings import GeneralSettings

Entry = dict[str, Any]  # {"value": …, "from": where it comes from}
TRAINED = ("pretrain", "evaluate")  # stages whose batches several processes can share
# By what the seed of a stage is moved from the run's; that of the teachers is the run's.
SEED_OFFSETS = {"distill": "image_seed_offset", "relabel": "student_seed_offset", "evaluate": "student_seed_offset"}
# What a caller gives by a name of its own, by the setting that an override would have to name.
CALLERS = {
    "general.backbone": "backbone",
    "general.image_size": "image_size",
    "general.classes": "classes",
    "general.teacher_backbones": "teacher_backbones",
    "pretrain.backbone": "backbone or teacher_backbones",
    "evaluate.student": "student",
    "distill.ipc": "ipc",
    "relabel.ipc": "ipc",
    "pretrain.seed": "seed",
    **{f"{stage}.threads": "general.threads" for stage in STAGES},
    **{f"{stage}.processes": "general.processes" for stage in TRAINED},
}


@dataclass(frozen=True)
class Resolved:
    """Every value and its source, keyed ``stage.setting``, and the overrides that a method's pieces do not allow."""

    values: dict[str, Any]
    sources: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)  # setting -> what fixes it

    def settings(self, stage: str) -> Any:
        """Return one stage's settings object."""
        own = {key.split(".", 1)[1]: value for key, value in self.values.items() if key.startswith(f"{stage}.")}
        return build_settings(stage, own)


@dataclass(frozen=True)
class Layers:
    """Declared defaults, then tables of a scale, then of a bundle, then what the method's pieces fix; later ones win.

    Within a scale or bundle: ``all``, ``piece``, ``dataset``, ``backbone``, ``pair`` (data set and backbone),
    ``dataset_piece``.
    """

    tables: Sequence[Mapping[str, Any]]  # the scale's, then the bundle's where one is asked for
    fixing: Mapping[str, Mapping[str, Any]]  # piece -> stage -> settings it fixes at every scale
    dataset: str
    asked: Mapping[str, Any]  # overrides

    def stage(self, stage: str, backbone: str, pieces: Sequence[str]) -> dict[str, Entry]:
        """Return one stage's entries, without what pieces fix and what is asked for."""
        keys = [("piece", piece) for piece in pieces]
        keys += [("dataset", self.dataset), ("backbone", backbone), ("pair", f"{self.dataset}/{backbone}")]
        keys += [("dataset_piece", f"{self.dataset}/{piece}") for piece in pieces]
        declared = setting_fields(GeneralSettings if stage == GENERAL else STAGES[stage])
        merged: dict[str, Entry] = {
            name: {"value": one.default, "from": one.metadata["source"]}
            for name, one in declared.items()
            if one.default is not dataclasses.MISSING
        }
        for tables in self.tables:
            merged |= tables.get("all", {}).get(stage, {})
            for group, key in keys:
                merged |= tables.get(group, {}).get(key, {}).get(stage, {})
        return merged

    def general(self, backbone: str, pieces: Sequence[str]) -> tuple[GeneralSettings, dict[str, str]]:
        """Return what is said besides the stages, and the source of each value."""
        entries = self.stage(GENERAL, backbone, pieces)
        for key, value in self.asked.items():
            stage, _, name = key.partition(".")
            if stage == GENERAL:
                require("setting", name, entries)
                entries[name] = {"value": value, "from": "override"}
        fields = setting_fields(GeneralSettings)
        for name in entries:
            require("general setting", name, fields)
        values = {name: fitting(f"general.{name}", fields[name], one["value"]) for name, one in entries.items()}
        return GeneralSettings(**values), {f"general.{name}": one["from"] for name, one in entries.items()}

    def resolve(self, pieces: Sequence[str], given: Mapping[str, Any]) -> Resolved:
        """Return all values and their sources, of a method's pieces and a caller's values.

        The caller has ``given`` ``backbone``, ``student``, ``ipc``, ``seed``, ``threads``, ``processes`` and, of what
        :data:`SEED_OFFSETS` names, each.

        Raises:
            SettingError: an unknown setting is asked for, or one that the caller gives by a name of its own.
        """
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        fixed: dict[str, str] = {}
        for stage in STAGES:
            of_pieces = [self.fixing[piece].get(stage, {}) for piece in pieces]
            backbone = given["student"] if stage == "evaluate" else given["backbone"]
            for layer in [self.stage(stage, backbone, pieces), _of_caller(stage, given), *of_pieces]:
                values |= {f"{stage}.{name}": entry["value"] for name, entry in layer.items()}
                sources |= {f"{stage}.{name}": entry["from"] for name, entry in layer.items()}
            fixed |= {f"{stage}.{name}": entry["from"] for layer in of_pieces for name, entry in layer.items()}
        refused = {}
        for key, value in self.asked.items():
            if key.startswith(f"{GENERAL}."):
                continue
            if key not in values:
                near = [name for name in values if name.split(".")[0] == key.split(".")[0]] or values
                raise SettingError(unknown("setting", key, near))
            if key in fixed:
                if value != values[key]:
                    refused[key] = f"{values[key]!r} ({fixed[key]})"
            else:
                values[key], sources[key] = value, "override"
        if not values["pretrain.attention"] and "distill.attention_ratio" not in self.asked:
            values["distill.attention_ratio"], sources["distill.attention_ratio"] = 0.0, "the teacher has no head"
        if values["evaluate.labels"] == "hard" and "relabel.store" not in self.asked:
            values["relabel.store"], sources["relabel.store"] = False, "hard labels need no teacher"
        return Resolved(values, sources, refused)


def _of_caller(stage: str, given: Mapping[str, Any]) -> dict[str, Entry]:
    """Settings that the caller gives rather than a recipe."""
    own = {"pretrain": ("backbone",), "distill": ("ipc",), "relabel": ("ipc",), "evaluate": ("student",)}[stage]
    offset = SEED_OFFSETS.get(stage, "")
    apart = given[offset] if offset else 0
    caller = {name: {"value": given[name], "from": "caller"} for name in own}
    caller |= {"seed": {"value": given["seed"] + apart, "from": f"caller and general.{offset}" if apart else "caller"}}
    general = ("threads", "processes") if stage in TRAINED else ("threads",)
    return caller | {name: {"value": given[name], "from": f"general.{name}"} for name in general}


def parse_overrides(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return overrides as a dictionary; text is split at white space or commas into ``stage.setting=value``.

    A value with blanks stands in double quotes, as in ``distill.phases="3@40 4@48"``.

    Raises:
        SettingError: a piece of text that is not ``stage.setting=value``, or a setting that has a name of its own.
    """
    parsed: dict[str, Any] = {}
    if not isinstance(overrides, str):
        parsed |= overrides or {}
    else:
        for item in re.findall(r'(?:"[^"]*"|[^\s,"]|"(?=[^"]*$))+', overrides):  # no blank or comma outside quotes
            key, sign, text = item.partition("=")
            if not sign or "." not in key or "#" in item:
                raise SettingError(
                    f"override {shortened(item)} is not of the form stage.setting=value, as in distill.iterations=100."
                )
            parsed[key] = _literal(text)
    for key in parsed:
        if not isinstance(key, str):
            raise SettingError(f"override {key!r} is no name of a setting; expected text, as 'distill.iterations'.")
        if key in CALLERS:
            raise SettingError(f"override {key} is not followed: give {CALLERS[key]} instead.")
    return parsed


def join_overrides(*texts: str) -> str:
    """Return several texts of overrides as one; of the same setting the last counts."""
    return " ".join(filter(None, texts))


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # also a number of thousands of digits, and brackets as deep
        return text  # a bare word such as whole
