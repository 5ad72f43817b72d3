"""Result rows as data frames: read, typed, refused where one experiment is there twice, and what makes a comparison.

Rows are compared only within what makes them comparable. Rows whose other settings differ from the usual ones of their
method are kept apart, under a ``variant`` that names the settings that differ.
"""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.ground import ArtefactError
from fd2lib.record import ATTENTION, STUDENTS, Table, read_rows, require_single
from fd2lib.record.results import settings_identity

# The lists of what makes a group; every table, figure and mean takes them from here.
PLACE = [name for name in STUDENTS.groups if name in ATTENTION.groups]  # scale and images: what a table may hold
LEARNER = [*PLACE, "student", "student_init"]  # students alike but for what they learn from
SETTING = [*STUDENTS.groups, "start", "ipc", "variant"]  # methods are compared within it
GROUP = [*SETTING, "method"]  # seeds are averaged within it
_OWN_COLUMN = {"start", "ipc", "seed", "student", "student_init", "labels", "backbone", "init"}

Rows = Iterable[Mapping[str, Any]]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def parts(frame: pd.DataFrame, by: Sequence[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Return the groups of a frame's rows, in the order of their first rows, each with its values of ``by``."""
    by = [name for name in by if name in frame]
    if not by or frame.empty:
        return [({}, frame)] if len(frame) else []
    return [(dict(zip(by, key, strict=True)), part) for key, part in frame.groupby(by, sort=False, dropna=False)]


def load_rows(
    source: str | Path | Rows, table: Table = STUDENTS, *, missing_ok: bool = False, **only: str
) -> pd.DataFrame:
    """Return result rows with numbers as numbers; students' rows with the column ``variant``.

    They come from a results file, of which with ``missing_ok`` a missing one gives none, or are rows as a run returns
    them. Columns can be asked for a value, such as ``scale="reduced"``; an empty one asks for nothing.

    Raises:
        SettingError: there is no such file.
        ArtefactError: the file is no such table, a number is none, or an experiment is there twice.
    """
    found = read_rows(source, table, missing_ok=missing_ok) if isinstance(source, str | Path) else source
    rows = [dict.fromkeys(table.columns, "") | dict(row) for row in found]
    require_single(rows, source if isinstance(source, str | Path) else "the table", table)
    frame = typed(rows, table)
    for name, wanted in only.items():
        frame = frame[frame[name] == wanted] if wanted else frame
    frame = frame.reset_index(drop=True)
    return with_variants(frame) if table is STUDENTS else frame


def typed(rows: Rows, table: Table = STUDENTS) -> pd.DataFrame:
    """Return rows as a frame that has all columns of a table, each of its kind; an unknown number is NaN.

    Raises:
        ArtefactError: something that is no number stands for one.
    """
    rows = list(rows)
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys([*table.columns, *(name for row in rows for name in row)])))
    for name, column in table.columns.items():
        values = frame[name].astype(object).where(frame[name].notna(), "")
        try:
            frame[name] = values.astype(str) if column.kind is str else pd.to_numeric(values.replace({"": None}))
        except ValueError as error:
            raise ArtefactError(f"the column {name!r} holds something that is no number: {error}.") from error
    return frame


def coverage(rows: pd.DataFrame) -> pd.DataFrame:
    """Return scale and images of rows, and of how many ``students``, ``methods`` and ``seeds`` they are."""
    found = [
        key | {"students": len(part), "methods": part["method"].nunique(), "seeds": part["seed"].nunique()}
        for key, part in parts(rows, PLACE)
    ]
    return pd.DataFrame(found, columns=[*PLACE, "students", "methods", "seeds"])


def with_variants(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the column ``variant``: what each sets otherwise than most rows of its method that are there."""
    names = [""] * len(rows)
    for _, group in parts(rows, [name for name in GROUP if name != "variant"]):
        # Settings as they are compared: one that was added later is there only with another value than before.
        settings = [json.loads(settings_identity(text)) for text in group["settings"]]
        own = [_flat(one) | _other_seeds(one, seed) for one, seed in zip(settings, group["seed"], strict=True)]
        # Most settings are the same in all rows, and a column of a frame takes its time.
        differ = [key for key in dict.fromkeys(itertools.chain(*own)) if len({repr(one.get(key)) for one in own}) > 1]
        flat = pd.DataFrame([{key: one[key] for key in differ if key in one} for one in own], group.index, differ)
        flat = flat.assign(**{name: group[name] for name in ("teacher_kind", "label_teacher_kind")})
        for key in flat.columns:
            shown = flat[key].map(lambda value: "as before" if value is None or value != value else json.dumps(value))
            usual = Counter(shown).most_common(1)[0][0]  # of equally many, the first in the file
            for position in shown.index[shown != usual]:
                names[position] = f"{names[position]} {key}={shown[position]}".strip().replace('"', "")
    return rows.assign(variant=names)


def _other_seeds(settings: Mapping[str, Any], seed: int) -> dict[str, str]:
    """Seeds of stages that are not the row's, as what is added to it, so that one variant is of several seeds."""
    seeds = {f"{name}.seed": one.get("seed", seed) for name, one in settings.items() if isinstance(one, dict)}
    return {name: f"{other - seed:+g}" for name, other in seeds.items() if other != seed}


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Settings as ``{"distill.iterations": 200}``, less seeds and what has a column of its own; of a list a digest."""
    if isinstance(value, list):  # of several teachers
        text = json.dumps([_flat(one) for one in value], sort_keys=True)
        return {name: hashlib.sha256(text.encode()).hexdigest()[:8]}
    if not isinstance(value, dict):
        return {name: value}
    inner = [_flat(item, f"{name}.{key}".lstrip(".")) for key, item in value.items() if key not in _OWN_COLUMN]
    return {key: item for one in inner for key, item in one.items()}


def settings_behind(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the settings that most rows of each method share: one row a setting, one column a method.

    Seeds and what has a column of its own (start, images per class, networks) are left out.
    """
    methods = {}
    for key, group in parts(rows, ["method"]):
        flat = pd.DataFrame([_flat(json.loads(text)) for text in group["settings"]])
        methods[key["method"]] = {
            name: Counter(map(str, flat[name].dropna())).most_common(1)[0][0] for name in flat.columns
        }
    return pd.DataFrame(methods).fillna("").rename_axis("setting").reset_index()
