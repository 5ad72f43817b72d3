"""The factorial study: teacher of the images × constraints × teacher of the labels, and what each factor does."""

import dataclasses
import itertools
from collections.abc import Mapping

import pandas as pd

from fd2lib.analyse.reading import PLACE, parts
from fd2lib.analyse.statistics import NUMBERS, difference
from fd2lib.analyse.studies import SAME, StudyResults, compared

# Levels and their titles. An arm is named after its levels: teacher_constraints_labels.
FACTORS: dict[str, dict[str, str]] = {
    "teacher": {"plain": "images by plain", "crops": "images by crops", "cal": "images by CAL"},
    "constraints": {"off": "constraints off", "on": "constraints on"},
    "labels": {"plain": "plain labels", "crops": "crops labels", "cal": "CAL labels"},
}
_SHORT = {"teacher": "images by", "constraints": "constraints", "labels": "labels of", "cal": "CAL"}
_TEACHERS = (("cal", "plain"), ("crops", "plain"), ("cal", "crops"))
CONTRASTS = [("constraints", "on", "off"), *((name, *pair) for name in ("teacher", "labels") for pair in _TEACHERS)]


def factor_effects(results: StudyResults) -> pd.DataFrame:
    """Return each factor's main effect: one level minus another, averaged over the settings of the other factors.

    The average is taken within each seed, over the same settings in every seed; the interval is over seeds.

    Returns:
        Scale and images, ``ipc, contrast`` (such as ``labels_cal_plain``), ``effect`` (its title), ``a, b`` (titles of
        its levels), ``over`` (of how many settings the average is), ``mean, low, high, n, verdict``.
    """
    rows, found = with_factors(results), []
    place = {name: results.place.get(name, "") for name in PLACE}
    for factor, a, b in CONTRASTS:
        others = list(itertools.product(*(levels for name, levels in FACTORS.items() if name != factor)))
        for key, part in parts(rows, ["ipc"]):
            gaps = _gaps(part, factor, a, b, others)
            if len(gaps):
                titles = {"contrast": f"{factor}_{a}_{b}", "a": FACTORS[factor][a], "b": FACTORS[factor][b]}
                titles["effect"] = f"{_SHORT[factor]} {_SHORT.get(a, a)} − {_SHORT.get(b, b)}"
                over = {"over": f"{gaps.shape[1]} of {len(others)}"}
                found.append(place | key | titles | over | difference(gaps.mean(axis=1)))
    return pd.DataFrame(found, columns=[*PLACE, "ipc", "contrast", "effect", "a", "b", "over", *NUMBERS, "verdict"])


def teacher_results(results: StudyResults) -> StudyResults:
    """Return the teachers of a factorial's labels as arms of a study of their own, which saw the whole training set.

    ``last_top1`` is the test accuracy of a teacher's own classifier, %; the reference is the plain one.
    """
    levels = {level: title.removesuffix(" labels") for level, title in FACTORS["labels"].items()}
    taught = with_factors(results).dropna(subset="label_teacher_top1").drop_duplicates(["labels", "seed"])
    rows = taught.assign(arm=taught["labels"], last_top1=taught["label_teacher_top1"], ipc=0, mean_pixel_change=0.0)
    return dataclasses.replace(results, title="The teachers themselves", reference="plain", titles=levels, rows=rows)


def judged(studies: Mapping[str, StudyResults]) -> pd.DataFrame:
    """Return every comparison of some studies that has a verdict (see :func:`fd2lib.analyse.compared`).

    Of the study called ``factorial`` these are its main effects and its teachers, called ``teachers``, not its arms.
    """
    arms, effects = dict(studies), pd.DataFrame()
    if crossed := arms.pop("factorial", None):
        arms["teachers"] = teacher_results(crossed)
        effects = factor_effects(crossed).drop(columns=["over", "effect"]).assign(study=crossed.title)
    found = pd.concat([compared(arms), effects], ignore_index=True)
    return found[~found["verdict"].isin(["too few seeds", SAME])]


def with_factors(results: StudyResults) -> pd.DataFrame:
    """Return a factorial's rows with a column for each factor, read from the arm's name."""
    levels = [str(arm).split("_") for arm in results.rows["arm"]]
    return results.rows.assign(**{name: [level[place] for level in levels] for place, name in enumerate(FACTORS)})


def _gaps(part: pd.DataFrame, factor: str, a: str, b: str, others: list[tuple[str, ...]]) -> pd.DataFrame:
    """``a − b``, a seed a row, a setting of the other factors a column; only settings that most seeds have."""
    names = [name for name in FACTORS if name != factor]
    wide = part.pivot_table(index="seed", columns=[*names, factor], values="last_top1")
    pairs = {key: wide[*key, a] - wide[*key, b] for key in others if {(*key, a), (*key, b)} <= set(wide)}
    gaps = pd.DataFrame(pairs, index=wide.index)
    counts = gaps.count()
    return gaps.loc[:, (counts == counts.max()) & (counts > 0)].dropna()
