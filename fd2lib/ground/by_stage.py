"""Settings of stages by name: which class each stage has, settings added to one, and values checked and built."""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from fd2lib.ground.declaration import StageSettings, fitting, setting, setting_fields
from fd2lib.ground.errors import SettingError, require
from fd2lib.ground.settings import DistillSettings, EvaluateSettings, PretrainSettings, RelabelSettings

# Of each stage the class that its settings are made of; settings declared elsewhere are added to it.
STAGES: dict[str, type[StageSettings]] = {
    "pretrain": PretrainSettings,
    "distill": DistillSettings,
    "relabel": RelabelSettings,
    "evaluate": EvaluateSettings,
}


def declare_setting(stage: str, name: str, default: bool | int | float | str, source: str, **limits: Any) -> None:
    """Add a setting to a stage from outside this file; runs made without it keep their identity.

    Its type is the default's; ``limits`` are ``low``, ``high``, ``choices``, ``unit``, as :func:`setting` takes them.

    Raises:
        SettingError: the stage is unknown or has a setting of that name.
    """
    kind = stage_settings(stage)
    if name in setting_fields(kind):
        raise SettingError(f"{stage} has a setting {name!r} already; choose another name.")
    field = setting(default, source, before=default, **limits)
    # A subclass, so that what takes the stage's settings takes these as well.
    STAGES[stage] = dataclasses.make_dataclass(
        kind.__name__, [(name, type(default), field)], bases=(kind,), frozen=True, kw_only=True
    )


def stage_settings(stage: str) -> type[StageSettings]:
    """Return the class of a stage's settings.

    Raises:
        SettingError: no such stage.
    """
    require("stage", stage, STAGES)
    return STAGES[stage]


def build_settings(stage: str, values: Mapping[str, Any], *, as_before: bool = False) -> Any:
    """Build one stage's settings from a plain dictionary; what is left out has its default.

    With ``as_before`` the settings are of a run that was made before some of today's existed: what is left out has the
    value that runs had then.

    Raises:
        SettingError: unknown stage or setting, one that only the caller can give, or a value of the wrong type.
    """
    kind = stage_settings(stage)
    fields = setting_fields(kind)
    for name in values:
        require(f"{stage} setting", name, fields)
    if as_before:
        before = {name: field.metadata["before"] for name, field in fields.items()}
        values = {name: value for name, value in before.items() if value is not MISSING} | dict(values)
    missing = [name for name, field in fields.items() if name not in values and field.default is MISSING]
    if missing:
        raise SettingError(f"{stage} settings lack {', '.join(missing)}; a recipe or an override must give them.")
    return kind(**{name: fitting(f"{stage}.{name}", fields[name], value) for name, value in values.items()})
