"""Means, 95 % intervals and paired differences over seeds, from result rows."""

from collections.abc import Sequence

import pandas as pd
from scipy import stats

from fd2lib.show.rows import GROUP, SETTING
from fd2lib.show.style import method_title

DECIDED = ("above zero", "below zero")  # the verdicts of intervals that exclude zero


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


def with_interval(mean: float, low: float, high: float, signed: bool = False, digits: int = 1) -> str:
    """Return a mean and its interval as a person writes them, such as ``15.8 [13.1, 18.5]``; a dash without any."""
    if mean != mean:
        return "–"
    shown = f"{{:{'+' if signed else ''}.{digits}f}}"
    ends = f"[{shown.format(low)}, {shown.format(high)}]" if low == low else "[one seed]"
    return f"{shown.format(mean)} {ends}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


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
    rows: pd.DataFrame,
    a: str,
    b: str,
    value: str = "last_top1",
    by: Sequence[str] = (*SETTING, "variant"),
    column: str = "method",
) -> pd.DataFrame:
    """Return the mean of ``a − b`` over the seeds that both methods were run with, its 95 % t-interval and n.

    Pairing takes out what a seed does to both methods alike. Only seeds that both have count.

    Args:
        rows: as :func:`load_rows` returns them.
        a: method.
        b: method that is subtracted.
        value: the column compared.
        by: columns that must agree within a pair and make a group.
        column: the column that ``a`` and ``b`` are values of.

    Returns:
        The columns ``by``, then ``a, b, mean, low, high, n`` and ``verdict`` (see :func:`verdict`).
    """
    keys = [*by, "seed"]
    sides = [rows[rows[column] == side].groupby(keys)[value].mean() for side in (a, b)]
    gaps = (sides[0] - sides[1]).dropna().rename("gap").reset_index()
    found = []
    for key, group in gaps.groupby(list(by), sort=True):
        mean, low, high, number = interval(group["gap"])
        numbers = {"a": a, "b": b, "mean": mean, "low": low, "high": high, "n": number}
        found.append(dict(zip(by, key, strict=True)) | numbers | {"verdict": verdict(low, high, number)})
    return pd.DataFrame(found, columns=[*by, "a", "b", "mean", "low", "high", "n", "verdict"])


def control_difference(rows: pd.DataFrame, a: str, control: str, value: str = "last_top1") -> pd.DataFrame:
    """Return :func:`paired_difference` of a method, whatever its images start from, and whole real images.

    Args:
        rows: as :func:`load_rows` returns them.
        a: method.
        control: a method whose images are real ones; its rows that start from ``whole`` stand against every start.
        value: the column compared.
    """
    real = rows[(rows["method"] == control) & (rows["start"] == "whole")]
    starts = rows.loc[rows["method"] == a, "start"].unique()
    copies = [real.assign(start=start) for start in starts]
    return paired_difference(pd.concat([rows[rows["method"] == a], *copies]), a, control, value)


def pair_titles(table: pd.DataFrame) -> list[str]:
    """Return ``A − B`` with display names for each row's methods ``a`` and ``b``."""
    return [f"{method_title(a)} − {method_title(b)}" for a, b in zip(table["a"], table["b"], strict=True)]


def verdict(low: float, high: float, number: int) -> str:
    """Return what a difference's interval over ``number`` paired seeds decides.

    ``above zero``, ``below zero`` or ``undecided``; ``too few seeds`` below three, whose intervals, often from values
    that happen to be equal, decide nothing.
    """
    if number < 3 or low != low or high != high:
        return "too few seeds"
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
    decided = len(differences) - int(counts.get("too few seeds", 0))
    if not decided:
        where = "the one comparison" if len(differences) == 1 else f"each of {len(differences)} comparisons"
        return f"{what}: fewer than three paired seeds in {where}, so there is no verdict."
    above, below, open_ = (int(counts.get(name, 0)) for name in ("above zero", "below zero", "undecided"))
    plural = "s" if decided > 1 else ""
    sentence = (
        f"{what}: of {decided} comparison{plural} with at least three paired seeds, "
        f"{above} lie{'s' * (above == 1)} wholly above zero, "
        f"{below} wholly below, and {open_} include{'s' * (open_ == 1)} zero (undecided)."
    )
    if decided >= 5:
        sentence += f" By chance alone about {0.05 * decided:.1f} of {decided} such intervals would exclude zero."
    return sentence


def verdict_sentences(differences: pd.DataFrame) -> list[str]:
    """Return :func:`verdict_sentence` for each scale and pair of methods in a table of differences."""
    if differences.empty:
        return ["No seed was run with both methods of any pair, so nothing can be said."]
    parts = differences.groupby(["scale", "a", "b"], sort=False)
    return [
        verdict_sentence(part, f"{scale.capitalize()} scale, {pair_titles(part)[0]}") for (scale, _, _), part in parts
    ]
