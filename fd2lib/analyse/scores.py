"""DD-Ranking's scores from rows: its formulas on accuracies as fractions, with our protocol of training and testing.

What is missing to the whole training set under true classes, and what is gained over random real images with labels of
the same teacher, make one number each. The published package tunes the student's rate and epoch on test images;
here the student is that of every other row, after its last epoch.
"""

import itertools
import math
from collections.abc import Sequence

import pandas as pd

from fd2lib.analyse.statistics import NUMBERS, interval
from fd2lib.analyse.studies import StudyResults
from fd2lib.analyse.verdicts import Contrast

# Of an arm, in the order of tables; the first two are differences of accuracies, as fractions.
SCORES = {
    "hlr": "HLR: whole set − these images, true classes",
    "ior": "IOR: these images − real, the same labels",
    "lrs": "LRS, label-robust score",
    "ars": "ARS, augmentation-robust score",
}


def robust_score(gain: float) -> float:
    """Map a mean of differences between −1 and 1 to a score between 0 and 1; no difference is 0.27.

    Source: DD-Ranking, arXiv 2505.13300: ``(e^α − e^−1) / (e − e^−1)``.
    """
    return (math.exp(gain) - math.exp(-1)) / (math.e - math.exp(-1))


def ranking_scores(
    hard: StudyResults,
    soft: StudyResults,
    still: StudyResults,
    whole: StudyResults,
    contrasts: Sequence[Contrast],
    ipcs: Sequence[int],
) -> pd.DataFrame:
    """Return the scores of each distilled arm, paired by seed.

    Args:
        hard: students of true classes.
        soft: students of soft labels, with augmentation.
        still: students of soft labels, without.
        whole: students of the whole training set and true classes; one arm.
        contrasts: each distilled arm with its reference, random real images with labels of the same teacher.
        ipcs: images per class.

    Returns:
        ``arm`` (its title), ``ipc, score`` (one of :data:`SCORES`) and ``mean, low, high, n``; without rows n is 0.
    """
    (everything,) = whole.titles
    found = []
    for one, ipc in itertools.product(contrasts, ipcs):

        def gain(results: StudyResults, one: Contrast = one, ipc: int = ipc) -> pd.Series:
            return results.accuracies(one.arm, ipc) - results.accuracies(one.reference, ipc)

        missing = (whole.accuracies(everything, ipc) - hard.accuracies(one.arm, ipc)) / 100
        gained, unmoved = gain(soft) / 100, gain(still) / 100
        values = {
            "hlr": missing,
            "ior": gained,
            "lrs": (gained / 2 - missing / 2).dropna().map(robust_score),
            "ars": (gained / 2 + unmoved / 2).dropna().map(robust_score),
        }
        named = {"arm": soft.titles[one.arm], "ipc": ipc}
        found += [named | {"score": name} | interval(values[name])._asdict() for name in SCORES]
    return pd.DataFrame(found, columns=["arm", "ipc", "score", *NUMBERS])
