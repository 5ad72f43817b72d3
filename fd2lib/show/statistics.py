"""Means, 95 % intervals and paired differences over seeds, from the rows of ``results/runs.csv``.

Rows are compared only within what makes them comparable: scale, data set, classes, image size, networks, start,
images per class. Rows whose other settings differ from the usual ones of their method are kept apart, under a
``variant`` that names the settings that differ.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

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
    if "fingerprint" in rows:
        known = rows["fingerprint"].notna()
        rows = pd.concat([rows[known].drop_duplicates("fingerprint", keep="last"), rows[~known]]).sort_index()
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
            shown = flat[key].map(lambda value: json.dumps(value, sort_keys=True))
            usual = shown.value_counts(sort=True).index[0] if shown.nunique() > 1 else None
            if usual is None:
                continue
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


def interval(values: Sequence[float]) -> tuple[float, float, float, int]:
    """Return mean, lower and upper end of the 95 % t-interval of the mean, and n.

    With one value there is no interval: both ends are NaN.
    """
    series = pd.Series(list(values), dtype=float).dropna()
    number, mean = len(series), float(series.mean())
    if number < 2:
        return mean, float("nan"), float("nan"), number
    half = float(stats.t.ppf(0.975, number - 1) * series.std(ddof=1) / number**0.5)
    return mean, mean - half, mean + half, number


def binomial_interval(percent: float, number: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval, in %, of an accuracy in % over ``number`` test images.

    It says how well one student's accuracy is known from these images, not how students of other seeds would do.
    """
    found = stats.binomtest(round(percent * number / 100), number).proportion_ci(0.95, method="wilson")
    return 100 * found.low, 100 * found.high


def against_guessing(percent: float, number: int, num_classes: int) -> str:
    """Return in words how an accuracy in % over ``number`` test images compares with guessing among the classes."""
    low, high = binomial_interval(percent, number)
    chance = 100 / num_classes
    if low > chance:
        return f"clearly better than guessing ({chance:.1f} %)"
    return f"{'clearly worse than' if high < chance else 'not clearly different from'} guessing ({chance:.1f} %)"


def summarise(rows: pd.DataFrame, value: str = "last_top1", by: Sequence[str] = GROUP) -> pd.DataFrame:
    """Return mean, 95 % t-interval over seeds and n for each group of rows.

    Args:
        rows: as :func:`load_rows` returns them.
        value: the column averaged.
        by: columns that make a group.

    Returns:
        The columns ``by``, then ``mean, low, high, n``.
    """
    found = [
        dict(zip(by, key, strict=True)) | dict(zip(("mean", "low", "high", "n"), interval(group[value]), strict=True))
        for key, group in rows.groupby(list(by), sort=True)
    ]
    return pd.DataFrame(found, columns=[*by, "mean", "low", "high", "n"])


def paired_difference(
    rows: pd.DataFrame, a: str, b: str, value: str = "last_top1", by: Sequence[str] = (*SETTING, "variant")
) -> pd.DataFrame:
    """Return the mean of ``a − b`` over the seeds that both methods were run with, its 95 % t-interval and n.

    Pairing takes out what a seed does to both methods alike. Only seeds that both have count.

    Args:
        rows: as :func:`load_rows` returns them.
        a: method.
        b: method that is subtracted.
        value: the column compared.
        by: columns that must agree within a pair and make a group.

    Returns:
        The columns ``by``, then ``a, b, mean, low, high, n`` and ``verdict`` (see :func:`verdict`).
    """
    keys = [*by, "seed"]
    sides = [rows[rows["method"] == method].groupby(keys)[value].mean() for method in (a, b)]
    gaps = (sides[0] - sides[1]).dropna().rename("gap").reset_index()
    found = []
    for key, group in gaps.groupby(list(by), sort=True):
        mean, low, high, number = interval(group["gap"])
        numbers = {"a": a, "b": b, "mean": mean, "low": low, "high": high, "n": number}
        found.append(dict(zip(by, key, strict=True)) | numbers | {"verdict": verdict(low, high)})
    return pd.DataFrame(found, columns=[*by, "a", "b", "mean", "low", "high", "n", "verdict"])


def coverage(rows: pd.DataFrame) -> list[str]:
    """Return sentences that say which scales have rows, how many students and seeds, and which scales have none."""
    found = []
    for scale in SCALES:
        part = rows[rows["scale"] == scale]
        if part.empty:
            found.append(f"No row of {scale} scale.")
            continue
        sets, seeds = sorted(part["dataset"].unique()), part["seed"].nunique()
        found.append(
            f"{scale} scale: {len(part)} trained students on {', '.join(sets)}, {seeds} seed{'s' * (seeds != 1)}."
        )
    return found


def verdict(low: float, high: float) -> str:
    """Return what an interval of a difference decides: ``above zero``, ``below zero``, ``undecided``, ``one seed``."""
    if low != low or high != high:
        return "one seed"
    if low > 0:
        return "above zero"
    return "below zero" if high < 0 else "undecided"


def verdict_sentence(differences: pd.DataFrame, what: str) -> str:
    """Return the sentence that a table of paired differences supports, counted from its rows.

    Args:
        differences: as :func:`paired_difference` returns them.
        what: the difference in words, such as ``"SRe²L++ + FD² minus SRe²L++"``.
    """
    if differences.empty:
        return f"{what}: no seed was run with both methods here, so nothing can be said."
    counts = differences["verdict"].value_counts()
    decided = len(differences) - int(counts.get("one seed", 0))
    if not decided:
        where = "the one comparison" if len(differences) == 1 else f"each of {len(differences)} comparisons"
        return f"{what}: only one paired seed in {where}, so there is no interval and no verdict."
    above, below, open_ = (int(counts.get(name, 0)) for name in ("above zero", "below zero", "undecided"))
    plural = "s" if decided > 1 else ""
    sentence = (
        f"{what}: of {decided} comparison{plural} with an interval, {above} lie{'s' * (above == 1)} wholly above zero, "
        f"{below} wholly below, and {open_} include{'s' * (open_ == 1)} zero (undecided)."
    )
    if decided >= 5:
        sentence += f" By chance alone about {0.05 * decided:.1f} of {decided} such intervals would exclude zero."
    return sentence
