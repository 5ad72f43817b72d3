"""Means, 95 % intervals and paired differences over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from scipy.special import stdtrit  # quantiles as of scipy.stats, which takes a second to import

from fd2lib.analyse.reading import GROUP, SETTING, parts, records

DECIDED = ("above zero", "below zero")  # the verdicts of intervals that exclude zero
BAND = 2.0  # points: a smaller difference is no help
NUMBERS = ("mean", "low", "high", "n")


class Interval(NamedTuple):
    """A mean with the ends of its 95 % interval, and of how many values it is; without an interval the ends are NaN."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Interval":
        """Return the interval that stands in a row's columns ``mean, low, high, n``."""
        return cls(*(row[name] for name in NUMBERS))

    @property
    def verdict(self) -> str:
        """What a difference's interval over n paired seeds decides.

        ``above zero``, ``below zero`` or ``undecided``; ``too few seeds`` below three, whose intervals, often from
        values that happen to be equal, decide nothing.
        """
        if self.n < 3 or self.low != self.low or self.high != self.high:
            return "too few seeds"
        if self.low > 0:
            return "above zero"
        return "below zero" if self.high < 0 else "undecided"

    @property
    def small(self) -> bool:
        """Whether a difference's interval, of three seeds or more, lies within :data:`BAND`: it is no help."""
        return self.n >= 3 and self.low > -BAND and self.high < BAND

    def text(self, signed: bool = False, digits: int = 1) -> str:
        """Return mean and interval as a person writes them, such as ``15.8 [13.1, 18.5]``; a dash without any."""
        if self.mean != self.mean:
            return "–"
        shown = f"{{:{'+' if signed else ''}.{digits}f}}"
        known = self.low == self.low
        ends = f"[{shown.format(self.low)}, {shown.format(self.high)}]" if known else "[one seed]"
        return f"{shown.format(self.mean)} {ends}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def interval(values: Iterable[float]) -> Interval:
    """Return mean, ends of the 95 % t-interval of the mean, and n; with one value there is no interval."""
    series = pd.Series(list(values), dtype=float).dropna()
    number, mean = len(series), float(series.mean())
    if number < 2:
        return Interval(mean, float("nan"), float("nan"), number)
    half = float(stdtrit(number - 1, 0.975) * series.std(ddof=1) / number**0.5)
    return Interval(mean, mean - half, mean + half, number)


def binomial_interval(percent: float, number: int) -> Interval:
    """Return the 95 % Wilson interval, in %, of an accuracy in % over ``number`` test images.

    It says how well one student's accuracy is known from these images, not how students of other seeds would do.
    """
    from scipy.stats import binomtest  # takes a second to import, which pages that only read rows need not wait for

    low, high = binomtest(round(percent * number / 100), number).proportion_ci(0.95, method="wilson")
    return Interval(percent, 100 * float(low), 100 * float(high), number)


def named(table: pd.DataFrame, *columns: str) -> dict[str, Interval]:
    """Return the intervals of a table's rows by the values of some columns, such as ``whole_3``."""
    return {"_".join(str(row[name]) for name in columns): Interval.of(row) for row in records(table)}


def contradictions(
    intervals: Mapping[str, Interval], above_zero: str = "", below_zero: str = "", within_band: str = ""
) -> list[str]:
    """Return where differences (see :func:`named`) decide otherwise than a text says, each with what it decides.

    The text names some, separated by blanks, as above or below zero; of all others it says that they do not exclude it.
    Of some it says as well that their intervals lie within :data:`BAND`.
    """
    said = dict.fromkeys(above_zero.split(), "above zero") | dict.fromkeys(below_zero.split(), "below zero")
    found = {name: one.verdict for name, one in intervals.items() if name in said or one.verdict in DECIDED}
    names = [name for name in dict.fromkeys([*said, *found]) if said.get(name) != found.get(name)]
    wide = [name for name in within_band.split() if name not in intervals or not intervals[name].small]
    return [
        *(f"{name}: {found.get(name, 'not measured')}" for name in names),
        *(f"{name}: not within ±{BAND:g} points" for name in wide),
    ]


def difference(gaps: Iterable[float]) -> dict[str, Any]:
    """Return ``mean, low, high, n`` of paired differences and their ``verdict``."""
    found = interval(gaps)
    return found._asdict() | {"verdict": found.verdict}


def summarise(rows: pd.DataFrame, by: Sequence[str] = GROUP) -> pd.DataFrame:
    """Return ``mean, low, high, n`` of test accuracies, %, over seeds, a 95 % t-interval, for each group of rows."""
    found = [key | interval(group["last_top1"])._asdict() for key, group in parts(rows, by)]
    table = pd.DataFrame(found, columns=[*by, *NUMBERS])
    return table.sort_values(list(by), kind="stable", ignore_index=True)


def paired_difference(
    rows: pd.DataFrame, a: str, b: str, by: Sequence[str] = SETTING, column: str = "method"
) -> pd.DataFrame:
    """Return the mean of ``a − b`` over the seeds that both methods were run with, its 95 % t-interval and n.

    Pairing takes out what a seed does to both methods alike. Only seeds that both have count. The columns ``by`` must
    agree within a pair and make a group; ``a`` and ``b`` are values of ``column``.

    Returns:
        The columns ``by``, then ``a, b, mean, low, high, n`` and ``verdict`` (see :class:`Interval`).
    """
    sides = [rows[rows[column] == side].groupby([*by, "seed"])["last_top1"].mean() for side in (a, b)]
    gaps = (sides[0] - sides[1]).dropna().rename("gap").reset_index()
    found = [key | {"a": a, "b": b} | difference(group["gap"]) for key, group in parts(gaps, by)]
    return pd.DataFrame(found, columns=[*by, "a", "b", *NUMBERS, "verdict"])


def control_difference(rows: pd.DataFrame, a: str, control: str) -> pd.DataFrame:
    """Return :func:`paired_difference` of a method, whatever its images start from, and whole real images.

    The latter are the rows of the method ``control`` that start from ``whole``; they stand against every start.
    """
    own, real = rows[rows["method"] == a], rows[(rows["method"] == control) & (rows["start"] == "whole")]
    copies = [real.assign(start=start) for start in own["start"].unique()]
    return paired_difference(pd.concat([own, *copies]), a, control)
