"""A gain over grain: exact where it is linear, blind to what sets do to all arms alike, silent without rows."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fd2lib import analyse
from fd2lib.analyse import Contrast, Ladder, StudyResults
from fd2lib.data.plumage.families import PARTS, all_classes
from fd2lib.drive import grid_requests, load_plan, load_study

TESTED = (Contrast("fd2", "base", "FD² − base"), Contrast("fd2", "rival", "FD² − rival"))
IPCS = (1, 3)
NUMBERS = st.floats(-20, 20).map(lambda value: round(value, 3))


def accuracies(base, rival, fd2, title="a set", ipcs=IPCS, seeds=None) -> StudyResults:
    """A set whose arms reach what is given for each seed, the same at every IPC."""
    arms = {"base": base, "rival": rival, "fd2": fd2}
    rows = [
        {"arm": arm, "ipc": ipc, "seed": seed, "last_top1": value}
        for arm, values in arms.items()
        for ipc in ipcs
        for seed, value in zip(seeds or range(len(values)), values, strict=True)
    ]
    return StudyResults(title, "base", {arm: arm for arm in arms}, pd.DataFrame(rows))


def nothing(title="a set") -> StudyResults:
    empty = pd.DataFrame({"arm": [], "ipc": [], "seed": [], "last_top1": []})
    return StudyResults(title, "base", {arm: arm for arm in ("base", "rival", "fd2")}, empty)


def ladder(*sets, seeds=range(4), title="toy scale") -> Ladder:
    return Ladder(title, sets, TESTED, IPCS, seeds)


def of_gains(table, seeds=range(4)) -> Ladder:
    """A ladder with these gains over base, ``[sets, seeds]``; the rival is base and one."""
    return ladder(*(accuracies([30] * len(g), [31] * len(g), [30 + one for one in g]) for g in table), seeds=seeds)


GAINS = st.integers(2, 5).flatmap(
    lambda sets: st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=sets, max_size=sets)
)


@given(GAINS)
def test_the_slope_is_that_of_least_squares_for_each_seed(table):
    found = analyse.slopes(of_gains(table), TESTED[0])
    at = np.linspace(0, 1, len(table))
    expected = [stats.linregress(at, values).slope for values in zip(*table, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-9) and found.index.tolist() == [0, 1, 2, 3]


@given(NUMBERS, NUMBERS, st.integers(2, 6))
def test_a_gain_that_is_linear_in_fineness_gives_its_slope(start, slope, sets):
    table = [[start + slope * fineness] * 4 for fineness in np.linspace(0, 1, sets)]
    assert analyse.slopes(of_gains(table), TESTED[0]).tolist() == pytest.approx([slope] * 4, abs=1e-9)


@given(GAINS, st.lists(NUMBERS, min_size=5, max_size=5), NUMBERS)
def test_what_a_set_does_to_all_arms_and_a_gain_on_all_sets_leave_the_slope(table, easier, everywhere):
    before = of_gains(table)
    sets = [
        accuracies([30 + ease] * 4, [31 + ease] * 4, [30 + ease + gain + everywhere for gain in gains])
        for gains, ease in zip(table, easier, strict=False)
    ]
    for one in TESTED:
        assert analyse.slopes(ladder(*sets), one).tolist() == pytest.approx(
            analyse.slopes(before, one).tolist(), abs=1e-9
        )


@given(GAINS)
def test_from_fine_to_coarse_the_slope_has_the_other_sign(table):
    there, back = (analyse.slopes(of_gains(one), TESTED[1]).tolist() for one in (table, table[::-1]))
    assert there == pytest.approx([-slope for slope in back], abs=1e-9)


def test_of_two_sets_it_is_the_difference_of_their_gains():
    found = analyse.slopes(of_gains([[1, 2, 3, 4], [4, 4, 7, 3]]), TESTED[0])
    assert found.tolist() == pytest.approx([3, 2, 4, -1])


def test_ipcs_count_alike_and_a_seed_needs_them_all():
    one, other = accuracies([30], [30], [32], ipcs=[1]), accuracies([30], [30], [36], ipcs=[3])
    both = pd.concat([one.rows, other.rows])
    results = StudyResults("a set", "base", one.titles, both)
    assert analyse.gains(ladder(results, seeds=range(1)))["mean"].tolist() == [4, 4]
    assert analyse.gains(ladder(one, seeds=range(1)))["n"].tolist() == [0, 0]


def test_only_planned_seeds_that_every_arm_of_every_set_has_count():
    coarse = accuracies(*[[30.0, 31, 32, 33, 34]] * 3)
    fine = accuracies([30, 31, 32], [30, 31, 32], [33, 34, 36], seeds=[0, 1, 9])
    found = analyse.slopes(ladder(coarse, fine), TESTED[0])
    assert found.to_dict() == pytest.approx({0: 3, 1: 3})
    shown = analyse.gains(ladder(coarse, fine))  # each set for itself: the ninth seed was not planned, nor the fifth
    assert shown["n"].tolist() == [4, 4, 2, 2]


@pytest.mark.parametrize("sets", [[nothing(), nothing()], [accuracies([1] * 4, [1] * 4, [1] * 4), nothing()]])
def test_without_rows_of_a_set_there_is_no_trend(sets):
    found = analyse.trends([ladder(*sets)])
    assert found["n"].tolist() == [0, 0] and set(found["trend"]) == {"not measured"} and not found["complete"].any()
    assert found["adjusted"].tolist() == [1, 1]
    assert analyse.gains(ladder(*sets))["n"].tolist() == [len(one.rows) and 4 for one in sets for _ in TESTED]


def test_four_tests_are_corrected_together_whether_or_not_they_have_rows():
    steep = of_gains([[0, 0.1, -0.1, 0], [3, 3.5, 2.6, 3]])
    alone, beside = analyse.trends([steep]), analyse.trends([steep, ladder(nothing(), nothing(), title="reduced")])
    assert len(beside) == 4 and beside["p"][:2].tolist() == alone["p"].tolist()
    smallest = min(alone["p"])
    assert beside["adjusted"].min() == pytest.approx(4 * smallest) and alone["adjusted"].min() == 2 * smallest
    assert beside["trend"].tolist() == ["grows", "grows", "not measured", "not measured"]


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        ([3.0, 3.1, 2.9, 3.2], "grows"),
        ([-3.0, -3.1, -2.9, -3.2], "shrinks"),
        ([0.1, -0.1, 0.2, -0.2], "no change of 2 points"),
        ([6.0, -6, 5, -5], "undecided"),
        ([1.0, 1.1, 0.9, 1.2], "grows, yet by less than 2 points"),
    ],
)
def test_trends_in_words(gains, words):
    found = analyse.trends([of_gains([[0] * 4, gains])])
    assert found["trend"].tolist() == [words] * 2 and found["complete"].all()
    fewer = analyse.trends([of_gains([[0] * 4, gains], seeds=range(6))])
    assert fewer["trend"].tolist() == [words] * 2 and not fewer["complete"].any()


def test_the_plan_lists_sets_from_coarse_to_fine_as_their_classes_say():
    """How many parts and colours of the body tell a class from the one most like it falls along the plan's parts."""

    def told_apart(one, other):
        body = zip(one.family.plumage, other.family.plumage, strict=True)
        return sum(one.marks[part] != other.marks[part] for part in PARTS) + sum(a != b for a, b in body)

    grains = [part.dataset.removeprefix("plumage_") for part in load_plan("grain").parts]
    nearest = [min(told_apart(*pair) for pair in itertools.combinations(all_classes(name), 2)) for name in grains]
    assert nearest[1:] == [3, 2, 1] and nearest[0] > 3
    photos = load_plan("grain_photos").parts
    assert [part.classes for part in photos] == ["genera", "Warbler"]


def test_question_two_is_planned_as_written():
    plan, photos = load_plan("grain"), load_plan("grain_photos")
    asked = [(one.dataset, one.ipc, one.seed) for part in plan.parts for one in grid_requests(part)]
    assert len(asked) == 4 * 5 * 3 * 20 and len(set(asked)) == len(asked) / 5
    assert sum(len(list(grid_requests(part))) for part in photos.parts) == 2 * 3 * 2 * 6
    tested = load_study("answer").only(["base", "rival", "fd2"]).contrasts
    assert [(one.arm, one.reference) for one in tested] == [("fd2", "base"), ("fd2", "rival")]
