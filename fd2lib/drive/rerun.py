"""Running a row of a results file again, from its settings alone."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.request import Machine
from fd2lib.ground import ArtefactError, Recipe, SettingError, build_settings, list_methods, setting_values, shortened
from fd2lib.ground.declaration import DIGEST
from fd2lib.record import read_rows, settings_identity


def find_row(path: str | Path, which: str) -> dict[str, str]:
    """Return a row of a results file by its place (1 is the first) or by the beginning of its fingerprint.

    Raises:
        SettingError: there is no such row, or several.
    """
    rows = read_rows(path)
    which = which.strip()
    if not rows:
        raise SettingError(f"{path} holds no rows; expected a results file that `fd2lib run` wrote.")
    if re.fullmatch(r"\d{1,7}", which, re.ASCII):
        if not 1 <= int(which) <= len(rows):
            raise SettingError(f"row {which} of {path}; expected 1 to {len(rows)}, or the beginning of a fingerprint.")
        return rows[int(which) - 1]
    if not re.fullmatch(r"[0-9a-f]{4,64}", which):
        raise SettingError(
            f"row is {shortened(which)}; expected its place, from 1 to {len(rows)}, or the first characters of its "
            "fingerprint, at least 4 of 0-9 and a-f."
        )
    found = [row for row in rows if row["fingerprint"].startswith(which)]
    if len(found) != 1:
        raise SettingError(f"{len(found)} rows of {path} have a fingerprint that begins with {which!r}; expected one.")
    return found[0]


def experiment_of_row(row: Mapping[str, str], machine: Machine, *, weights: str = "", **request: Any) -> Experiment:
    """Return the experiment that a row of :func:`fd2lib.record.read_rows` came from.

    A machine says where the images lie and where to run, ``weights`` is the file of initial weights, of rows that
    started from one, and ``request`` are further fields, such as ``progress``.

    Raises:
        SettingError: a setting that this version does not know, or weights that are not the row's.
    """
    machine.load()
    try:
        recipe = _recipe_of(row, weights)
        numbers = {name: int(row[name] or 0) for name in ("image_size", "seed", "ipc", "distill_ipc")}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, SettingError):  # names what this version does not know
            raise
        told = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ArtefactError(
            f"the row's settings are not those of a student ({told}); it was changed. Take another."
        ) from error
    return Experiment(
        recipe=recipe,
        **machine.only(Machine),
        **{name: row[name] for name in ("dataset", "classes", "scale", "method")},
        **numbers,
        image_set="" if row["image_set"] == row["dataset"] else row["image_set"],
        **request,
    )


def _recipe_of(row: Mapping[str, str], weights: str) -> Recipe:
    stages: dict[str, Any] = json.loads(settings_identity(row["settings"]))
    teachers = [_built("pretrain", one, weights) for one in stages.get("teacher_settings", [stages["pretrain"]])]
    labellers = [_built("pretrain", one, weights) for one in stages.get("label_teacher_settings", [])]
    names = ("scale", "dataset", "method", "bundle", "headline", "classes", "teacher_kind", "label_teacher_kind")
    same: dict[str, Any] = {name: row[name] for name in names}
    return Recipe(
        **same,
        backbone=teachers[0].backbone,
        title=list_methods().get(row["method"], row["method"]),
        image_size=int(row["image_size"]),
        teacher_settings=tuple(teachers),
        label_teacher_settings=tuple(labellers or teachers),
        scorer_settings=next(iter(_built("pretrain", one, weights) for one in stages.get("scorer_settings", [])), None),
        sources={},
        **{stage: _built(stage, stages[stage], weights) for stage in ("distill", "relabel", "evaluate")},
    )


def _built(stage: str, values: Mapping[str, Any], weights: str) -> Any:
    """Settings of a row; a setting that it lacks has the value that runs had before it existed."""
    given = {name: weights or value if str(value).startswith(DIGEST) else value for name, value in values.items()}
    settings = build_settings(stage, given, as_before=True)
    for name, value in values.items():
        if str(value).startswith(DIGEST) and setting_values(settings)[name] != value:
            raise SettingError(f"{stage}.{name} of the row is {value}; give the file with these weights (--weights).")
    return settings
