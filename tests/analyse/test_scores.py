"""DD-Ranking's scores: against values by hand, and what must hold of any accuracies."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fd2lib import analyse
from fd2lib.analyse import Contrast, StudyResults
from fd2lib.drive import committed_studies
from fd2lib.show.contrasts import scores_table

PAIR = [Contrast("fd2", "real", "FD² − real, the same labels")]
SHARES = st.floats(-1, 1)


def of(**accuracies) -> StudyResults:
    """Results at 3 images per class, of each arm by seed."""
    rows = [
        {"arm": arm, "ipc": 3, "seed": seed, "last_top1": value}
        for arm, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    titles = {arm: f"the {arm}" for arm in accuracies}
    return StudyResults("", "", titles, pd.DataFrame(rows, columns=["arm", "ipc", "seed", "last_top1"]))


def scores(hard, soft, still, whole):
    found = analyse.ranking_scores(hard, soft, still, whole, PAIR, [3])
    return found.set_index("score")


def test_scores_by_hand():
    """One seed: 0.70 on the whole set, 0.40 under true classes, 0.60 and 0.55 against real images' 0.50 and 0.50."""
    found = scores(of(fd2=[40]), of(fd2=[60], real=[50]), of(fd2=[55], real=[50]), of(whole_set=[70]))
    assert found["mean"].to_dict() == pytest.approx(
        {"hlr": 0.3, "ior": 0.1, "lrs": 0.2284543, "ars": 0.3020770}, abs=1e-6
    )
    assert set(found["arm"]) == {"the fd2"} and set(found["n"]) == {1} and set(found["ipc"]) == {3}


def test_seeds_are_paired_before_the_score():
    found = scores(
        of(fd2=[40, 44, 10]), of(fd2=[60, 50], real=[50, 46]), of(fd2=[55, 50], real=[50, 49]), of(whole_set=[70, 72])
    )
    lrs = [analyse.robust_score(value) for value in (0.5 * 0.1 - 0.5 * 0.3, 0.5 * 0.04 - 0.5 * 0.28)]
    assert found["n"].to_dict() == {"hlr": 2, "ior": 2, "lrs": 2, "ars": 2}
    assert found["mean"]["lrs"] == pytest.approx(sum(lrs) / 2) and found["mean"]["hlr"] == pytest.approx(0.29)
    half = 12.7062 * abs(lrs[0] - lrs[1]) / 2  # t of one degree of freedom, times the standard error of two
    assert found["high"]["lrs"] == pytest.approx(sum(lrs) / 2 + half, rel=1e-4)


@given(SHARES, SHARES)
def test_the_score_runs_from_0_to_1_and_rises(one, other):
    first, second = analyse.robust_score(one), analyse.robust_score(other)
    assert 0 <= first <= 1 and (first <= second) == (one <= other or first == second)
    assert [analyse.robust_score(end) for end in (-1, 0, 1)] == pytest.approx(
        [0, (1 - math.exp(-1)) / (math.e - math.exp(-1)), 1]
    )


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_equal_images_gain_nothing(hard, soft, still, whole):
    found = scores(of(fd2=[hard]), of(fd2=[soft], real=[soft]), of(fd2=[still], real=[still]), of(whole_set=[whole]))
    assert found["mean"]["ior"] == 0 and found["mean"]["ars"] == analyse.robust_score(0)
    assert found["mean"]["lrs"] == pytest.approx(analyse.robust_score((hard - whole) / 200))


def test_what_is_missing_is_said():
    none = of(fd2=[], real=[])
    assert scores(none, none, none, of(whole_set=[]))["n"].tolist() == [0] * 4
    assert "not measured" in scores_table(analyse.ranking_scores(none, none, none, of(whole_set=[]), PAIR, [3]))
    some = scores(none, of(fd2=[60], real=[50]), none, of(whole_set=[70]))
    assert some["n"].to_dict() == {"hlr": 0, "ior": 1, "lrs": 0, "ars": 0}


def test_the_table_has_a_line_for_each_arm():
    hard, soft, still = of(fd2=[40, 41]), of(fd2=[60, 61], real=[50, 50]), of(fd2=[55, 55], real=[50, 50])
    table = scores_table(analyse.ranking_scores(hard, soft, still, of(whole_set=[70, 71]), PAIR, [3]))
    assert "the fd2" in table and "+0.30" in table and "our protocol" in table and ">2</td>" in table


def test_the_plan_has_what_the_scores_need(tmp_path):
    hard, fixed, soft, still, whole = (one.results for one in committed_studies("regimes", tmp_path))
    contrasts = committed_studies("regimes", tmp_path)[2].study.contrasts
    assert [(one.arm, one.reference) for one in contrasts] == [
        ("rded", "real"), ("base", "real"), ("rival", "real_crops"), ("fd2", "real_cal"),
    ]  # fmt: skip
    assert {one.arm for one in contrasts} <= hard.titles.keys() <= soft.titles.keys() == still.titles.keys()
    assert fixed.titles == soft.titles and list(whole.titles) == ["whole_set"]
    found = analyse.ranking_scores(hard, soft, still, whole, contrasts, [1, 3])
    assert len(found) == 4 * 2 * 4 and not found["n"].any()
