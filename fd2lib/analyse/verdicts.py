"""Verdicts on planned contrasts: what is fixed before the rows are there decides what the rows say.

A contrast is an arm minus a reference, paired by seed, at each IPC. A difference is decided only after Holm's
correction over all contrasts of the question; *no difference* is claimed only where the interval lies within a band.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd
from scipy.special import stdtr  # as of scipy.stats.t, which takes a second to import

from fd2lib.analyse.reading import PLACE
from fd2lib.analyse.statistics import BAND, NUMBERS, interval
from fd2lib.analyse.studies import StudyResults
from fd2lib.ground import SettingError

ERROR = 0.05  # of both sides together; each one-sided test has half
BETTER, WORSE, NONE, UNDECIDED = "better", "worse", f"no difference of {BAND:g} points", "undecided"
NOT_MEASURED = "not measured"


class Contrast(NamedTuple):
    """A planned comparison of two arms of a study."""

    arm: str
    reference: str
    title: str


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given; one that is not known (NaN) counts as 1.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics, 1979.
    """
    known = [1.0 if value != value else float(value) for value in p]
    adjusted, largest = [1.0] * len(known), 0.0
    for rank, place in enumerate(sorted(range(len(known)), key=known.__getitem__)):
        largest = max(largest, min(1.0, (len(known) - rank) * known[place]))
        adjusted[place] = largest
    return adjusted


def paired_p(gaps: Iterable[float]) -> float:
    """Return the two-sided p of the t-test that paired differences have a mean of zero; NaN of fewer than two.

    Differences that are all equal have no spread: p is 1 where they are zero, else 0.
    """
    values = pd.Series(list(gaps), dtype=float).dropna()
    if len(values) < 2:
        return float("nan")
    mean, error = float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5
    if error == 0:
        return float(mean == 0)
    return float(2 * stdtr(len(values) - 1, -abs(mean) / error))


def decide(gaps: Sequence[Iterable[float]], band: float = BAND) -> pd.DataFrame:
    """Return what the paired differences of one question decide: a row for each of its contrasts, in order.

    Columns are ``mean, low, high, n``, the ends those of the 95 % t-interval, which is not corrected; ``p``, two-sided,
    and ``adjusted`` (:func:`holm`); ``equivalent``, whether two one-sided tests at 2.5 % find the mean above −band and
    below +band, which is that the interval lies within; and ``verdict``. *Better* and *worse* come before *no
    difference*: where ``equivalent`` is true as well, both hold. Fewer than three pairs decide nothing; none is *not
    measured*.
    """
    samples = [list(values) for values in gaps]
    found = pd.DataFrame([interval(values) for values in samples], columns=list(NUMBERS))
    found["p"] = [paired_p(values) for values in samples]
    found["adjusted"] = holm(found["p"].tolist())
    enough = found["n"] >= 3
    found["equivalent"] = enough & (found["low"] > -band) & (found["high"] < band)
    found["verdict"] = found["equivalent"].map({True: NONE, False: UNDECIDED})
    found.loc[found["n"] == 0, "verdict"] = NOT_MEASURED
    decided = enough & (found["adjusted"] < ERROR)
    found.loc[decided, "verdict"] = (found["mean"] > 0).map({True: BETTER, False: WORSE})[decided]
    return found


def counted_seeds(question: Sequence[StudyResults], ipcs: Sequence[int], seeds: Sequence[int]) -> set[int]:
    """Return the planned seeds that count: every arm of a question has them, at every IPC and on every set."""
    common = set(seeds)
    for results, ipc in itertools.product(question, ipcs):
        for arm in results.titles:
            common &= set(results.accuracies(arm, ipc).dropna().index)
    return common


def verdicts(
    question: Sequence[StudyResults],
    contrasts: Sequence[tuple[str, str, str]],
    ipcs: Sequence[int],
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Return the verdicts of one question: its contrasts at each IPC, on each of its sets of images.

    Only seeds count that :func:`counted_seeds` gives; a planned comparison without rows still counts in the correction.

    Args:
        question: the results of the question's arms, one of each set of images or part of a plan.
        contrasts: arm, reference and title of each comparison, such as :attr:`fd2lib.drive.Study.contrasts`.
        ipcs: images per class, as planned.
        seeds: as planned.

    Returns:
        The columns of ``PLACE``, ``study`` (the results' title where there are several), ``ipc, a, b, contrast`` (the
        title), those of :func:`decide`, and ``complete``: whether every planned seed counts.

    Raises:
        SettingError: a contrast of an arm that the results do not know.
    """
    chosen = [Contrast(*one) for one in contrasts]
    for results, contrast in itertools.product(question, chosen):
        if lacking := {contrast.arm, contrast.reference} - results.titles.keys():
            arms = ", ".join(results.titles)
            raise SettingError(
                f"contrast {contrast.title!r} is of {sorted(lacking)}; {results.title!r} has arms {arms}."
            )
    common = counted_seeds(question, ipcs, seeds)
    several = len({results.title for results in question}) > 1
    rows, gaps = list[dict[str, object]](), list[pd.Series]()
    for results, contrast, ipc in itertools.product(question, chosen, ipcs):
        place = {name: results.place.get(name, "") for name in PLACE}
        place["study"] = results.title if several else ""
        rows.append(place | {"ipc": ipc, "a": contrast.arm, "b": contrast.reference, "contrast": contrast.title})
        gap = results.accuracies(contrast.arm, ipc) - results.accuracies(contrast.reference, ipc)
        gaps.append(gap[gap.index.isin(common)])
    named = pd.DataFrame(rows, columns=[*PLACE, "study", "ipc", "a", "b", "contrast"])
    return pd.concat([named, decide(gaps)], axis=1).assign(complete=common == set(seeds))


def verdict_words(verdict: str, equivalent: bool) -> str:
    """Return a verdict in words; a difference that is decided and yet within the band says both."""
    return f"{verdict}, yet {NONE}" if equivalent and verdict in (BETTER, WORSE) else verdict
