"""Result rows: read, made comparable, and described.

Rows are compared only within what makes them comparable: scale, data set, classes, image size, networks, start,
images per class. Rows whose other settings differ from the usual ones of their method are kept apart, under a
``variant`` that names the settings that differ.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.ground import SCALES, ArtefactError

SETTING = [
    "scale",
    "dataset",
    "classes",
    "image_size",
    "teacher",
    "teacher_init",
    "student",
    "student_init",
    "labels",
    "start",
    "ipc",
]
GROUP = [*SETTING, "variant", "method"]
_TEXT = [name for name in SETTING if name not in ("image_size", "ipc")] + ["method"]
_OWN_COLUMN = {"start", "ipc", "seed", "student", "student_init", "labels", "backbone", "init"}


def load_rows(path: str | Path, *, scale: str = "", dataset: str = "") -> pd.DataFrame:
    """Return the rows of a results table, one for each trained student, with the column ``variant`` added.

    A missing or empty file gives a table without rows. A run that was appended twice counts once, as last written.

    Args:
        path: a CSV file as :func:`fd2lib.record.append_result` writes it.
        scale: only rows of this scale; empty for all.
        dataset: only rows of this set of images; empty for all.

    Raises:
        ArtefactError: the file lacks columns that every table here needs.
    """
    needed = [*SETTING, "method", "seed", "last_top1"]
    if not Path(path).is_file() or Path(path).stat().st_size == 0:
        return pd.DataFrame(columns=[*needed, "variant"])
    rows = pd.read_csv(path)
    missing = [name for name in needed if name not in rows]
    if missing:
        raise ArtefactError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; expected a table that a run of "
            "fd2lib wrote. results/SCHEMA.md lists its columns."
        )
    for name in set(_TEXT) & set(rows):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), "").astype(str)
    identity = [name for name in ("fingerprint", "settings", *SETTING, "method", "seed") if name in rows]
    if "fingerprint" in rows:  # equal images have equal fingerprints, so two settings may share one
        known = rows["fingerprint"].notna()
        rows = pd.concat([rows[known].drop_duplicates(identity, keep="last"), rows[~known]]).sort_index()
    for name, wanted in (("scale", scale), ("dataset", dataset)):
        rows = rows[rows[name] == wanted] if wanted else rows
    rows = rows.reset_index(drop=True)
    rows["variant"] = _variants(rows)
    return rows


def _variants(rows: pd.DataFrame) -> list[str]:
    """Name, for each row, the settings in which it differs from most rows of its method in its comparison."""
    names = [""] * len(rows)
    if "settings" not in rows:
        return names
    for _, group in rows.groupby([*SETTING, "method"], sort=False):
        flat = pd.DataFrame([_flat(text) for text in group["settings"]], index=group.index)
        for key in flat.columns:
            known = flat[key][flat[key].notna()]  # rows of an earlier version may lack a setting
            shown = known.map(lambda value: json.dumps(value, sort_keys=True))
            usual = Counter(shown).most_common(1)[0][0]  # of equally many, the first in the file
            for position in shown.index[shown != usual]:
                names[position] = f"{names[position]} {key}={shown[position]}".strip().replace('"', "")
    return names


def _flat(text: Any, prefix: str = "") -> dict[str, Any]:
    """Settings as ``{"distill.iterations": 200}``, less seeds and what has a column of its own."""
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        elif name not in _OWN_COLUMN:
            flat[f"{prefix}{name}"] = item
    return flat


def coverage(rows: pd.DataFrame) -> list[str]:
    """Return sentences that say which scales have rows, how many students and seeds, and which scales have none."""
    found = []
    for scale in SCALES:
        part = rows[rows["scale"] == scale]
        if part.empty:
            found.append(f"No row of {scale} scale.")
            continue
        sets, seeds = ", ".join(sorted(part["dataset"].unique())), part["seed"].nunique()
        count = f"{len(part)} trained students on {sets}, {seeds} seed{'s' * (seeds != 1)}."
        found.append(f"{scale.capitalize()} scale: {count}")
    if (rows[["teacher_init", "student_init"]] == "imagenet").any(axis=None):
        found.append(
            "Networks that start from ImageNet weights have seen the images of ImageNette and ImageWoof and some of "
            "the test images of CUB-200-2011: there, all their accuracies flatter."
        )
    return found


def settings_behind(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the settings that most rows of each method share: one row a setting, one column a method.

    Seeds and what has a column of its own (start, images per class, networks) are left out.
    """
    if "settings" not in rows or rows.empty:
        return pd.DataFrame(columns=["setting"])
    methods = {}
    for method, group in rows.groupby("method", sort=False):
        flat = pd.DataFrame([_flat(text) for text in group["settings"]])
        methods[method] = {name: Counter(map(str, flat[name].dropna())).most_common(1)[0][0] for name in flat.columns}
    return pd.DataFrame(methods).fillna("").rename_axis("setting").reset_index()
