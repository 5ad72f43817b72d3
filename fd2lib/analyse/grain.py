"""Grain: how a gain changes from coarse classes to fine ones, as one number for each seed.

The coordinate is **fineness**, from 0 of the coarsest set to 1 of the finest, in equal steps. The order of sets is
known (how much tells a class from the one most like it), their distances are not: families differ in their bodies as
well, which no number of parts measures. Ranks are the usual scores where only an order is known, and between one, two
and three telling parts they are the number of parts. From 0 to 1 the slope is in points between the coarsest and the
finest set, so that the band of a difference worth having holds for it too; of two sets it is the difference of their
gains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fd2lib.analyse.statistics import NUMBERS, interval
from fd2lib.analyse.studies import StudyResults
from fd2lib.analyse.verdicts import BAND, BETTER, NONE, UNDECIDED, WORSE, Contrast, counted_seeds, decide

# Verdicts of :func:`fd2lib.analyse.decide`, said of a slope.
TRENDS = {BETTER: "grows", WORSE: "shrinks", NONE: f"no change of {BAND:g} points", UNDECIDED: UNDECIDED}


@dataclass(frozen=True)
class Ladder:
    """Sets of images from the coarsest to the finest, and what was planned of them."""

    title: str  # says the scale, as ladders of two scales are never one
    sets: Sequence[StudyResults]
    contrasts: Sequence[Contrast]
    ipcs: Sequence[int]
    seeds: Sequence[int]

    @property
    def fineness(self) -> list[float]:
        """The coordinate of each set."""
        return np.linspace(0, 1, len(self.sets)).tolist()


def set_gains(results: StudyResults, contrast: Contrast, ipcs: Sequence[int]) -> pd.Series:
    """Return an arm minus its reference on one set in points, by seed: the mean over IPC, of seeds that have all."""
    gaps = [results.accuracies(contrast.arm, ipc) - results.accuracies(contrast.reference, ipc) for ipc in ipcs]
    return pd.concat(gaps, axis=1).mean(axis=1, skipna=False).dropna()


def gains(ladder: Ladder) -> pd.DataFrame:
    """Return the gain on each set, over the planned seeds that all of its arms have.

    Columns are ``ladder, set`` (titles), ``fineness, a, b, contrast`` (the title) and ``mean, low, high, n``.
    """
    found = []
    for results, fineness in zip(ladder.sets, ladder.fineness, strict=True):
        seeds = counted_seeds([results], ladder.ipcs, ladder.seeds)
        for one in ladder.contrasts:
            own = set_gains(results, one, ladder.ipcs)
            place = {"ladder": ladder.title, "set": results.title, "fineness": fineness}
            pair = {"a": one.arm, "b": one.reference, "contrast": one.title}
            found.append(place | pair | interval(own[own.index.isin(seeds)])._asdict())
    return pd.DataFrame(found, columns=["ladder", "set", "fineness", "a", "b", "contrast", *NUMBERS])


def slopes(ladder: Ladder, contrast: Contrast) -> pd.Series:
    """Return the least-squares slope of the gain over fineness, points from coarsest to finest, by seed.

    Only planned seeds count that every arm has on every set; without one of the sets there are none.
    """
    seeds = counted_seeds(ladder.sets, ladder.ipcs, ladder.seeds)
    wide = pd.concat([set_gains(one, contrast, ladder.ipcs) for one in ladder.sets], axis=1)
    wide = wide[wide.index.isin(seeds)].astype(float)
    centred = np.array(ladder.fineness) - np.mean(ladder.fineness)
    return pd.Series(wide.to_numpy() @ centred / (centred @ centred), wide.index)


def trends(ladders: Sequence[Ladder]) -> pd.DataFrame:
    """Return what the slopes of one question decide: a row for each contrast of each ladder, corrected together.

    Columns are ``ladder, a, b, contrast``, those of :func:`fd2lib.analyse.decide`, ``complete`` (whether every planned
    seed counts) and ``trend``: of the gain, as classes get finer, in words.
    """
    pairs = [(ladder, one) for ladder in ladders for one in ladder.contrasts]
    named = pd.DataFrame(
        [(ladder.title, one.arm, one.reference, one.title) for ladder, one in pairs],
        columns=["ladder", "a", "b", "contrast"],
    )
    found = pd.concat([named, decide([slopes(*pair) for pair in pairs])], axis=1)
    found["complete"] = [n == len(set(ladder.seeds)) for (ladder, _), n in zip(pairs, found["n"], strict=True)]
    found["trend"] = [
        trend_words(*row) for row in found[["verdict", "equivalent", "n"]].itertuples(index=False, name=None)
    ]
    return found


def trend_words(verdict: str, equivalent: bool, n: int) -> str:
    """Return the verdict on a slope over n seeds in words."""
    if n == 0:
        return "not measured"
    both = equivalent and verdict in (BETTER, WORSE)
    return f"{TRENDS[verdict]}, yet by less than {BAND:g} points" if both else TRENDS[verdict]
