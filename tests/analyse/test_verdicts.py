"""Verdicts on planned contrasts: against hand values, scipy, and what must hold of any numbers."""

import dataclasses
import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from fd2lib import analyse
from fd2lib.analyse.verdicts import BETTER, NONE, UNDECIDED, WORSE, paired_p
from fd2lib.drive import list_studies, load_study
from fd2lib.ground import SettingError

CONTRASTS = [("cal", "none", "CAL − base"), ("both", "cal", "FD² − CAL")]
PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
GAPS = st.lists(st.lists(st.floats(-20, 20), min_size=1, max_size=8), min_size=1, max_size=6)


def test_holm_by_hand():
    assert analyse.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert analyse.holm([0.6, float("nan"), 0.01]) == pytest.approx([1, 1, 0.03])


@given(PROBABILITIES)
def test_holm_keeps_the_order_and_is_never_below_p(p):
    adjusted = analyse.holm(p)
    assert all(q <= one <= 1 for q, one in zip(p, adjusted, strict=True))
    assert all((a <= b) for (p_a, a), (p_b, b) in itertools.permutations(zip(p, adjusted, strict=True), 2) if p_a < p_b)
    assert all(one <= min(1, len(p) * q) + 1e-12 for q, one in zip(p, adjusted, strict=True))  # at most Bonferroni's


@given(PROBABILITIES, st.randoms())
def test_holm_does_not_depend_on_the_order(p, random):
    places = list(range(len(p)))
    random.shuffle(places)
    adjusted = analyse.holm(p)
    assert analyse.holm([p[place] for place in places]) == [adjusted[place] for place in places]


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=9))
def test_p_equals_scipy_and_agrees_with_the_interval(values):
    assume(max(values) - min(values) > 1e-3)
    p, found = paired_p(values), analyse.interval(values)
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6, abs=1e-12)
    assume(abs(p - 0.05) > 1e-6)
    assert (p < 0.05) == (found.low > 0 or found.high < 0)


def test_differences_without_spread():
    assert paired_p([0, 0, 0]) == 1 and paired_p([1, 1, 1]) == 0 and paired_p([1]) != paired_p([1])
    assert analyse.decide([[0, 0, 0], [3, 3, 3], [1, 1, 1]])["verdict"].tolist() == [NONE, BETTER, BETTER]


@given(GAPS)
def test_swapping_arm_and_reference_mirrors_the_verdict(gaps):
    mirrored = {BETTER: WORSE, WORSE: BETTER}
    one, other = analyse.decide(gaps), analyse.decide([[-gap for gap in values] for values in gaps])
    assert other["verdict"].tolist() == [mirrored.get(verdict, verdict) for verdict in one["verdict"]]
    assert other["equivalent"].tolist() == one["equivalent"].tolist()
    assert other["adjusted"].tolist() == pytest.approx(one["adjusted"].tolist())


@given(GAPS)
def test_equivalence_is_an_interval_within_the_band_and_two_one_sided_tests(gaps):
    for values, row in zip(gaps, analyse.decide(gaps).to_dict("records"), strict=True):
        assert row["equivalent"] == (len(values) > 2 and row["low"] > -2 and row["high"] < 2)
        if len(values) > 2 and max(values) - min(values) > 1e-3:
            above = stats.ttest_1samp(values, -2, alternative="greater").pvalue
            below = stats.ttest_1samp(values, 2, alternative="less").pvalue
            assume(abs(max(above, below) - 0.025) > 1e-9)
            assert row["equivalent"] == (max(above, below) < 0.025)
        assert row["verdict"] in ((NONE, BETTER, WORSE) if row["equivalent"] else (UNDECIDED, BETTER, WORSE))


def test_four_verdicts_by_hand():
    found = analyse.decide(
        [[4, 5, 6, 5], [-4, -5, -6, -5], [0.2, -0.2, 0.1, -0.1], [5, -5, 5, -4], [0.5, 0.6, 0.5, 0.6]]
    )
    assert found["verdict"].tolist() == [BETTER, WORSE, NONE, UNDECIDED, BETTER]
    assert found["equivalent"].tolist() == [False, False, True, False, True]
    # mean 5, standard deviation √(2/3), n 4: t = 5 · 2 / √(2/3); the half-width is 3.182446 · √(2/3) / 2
    assert found["p"][0] == pytest.approx(2 * stats.t.sf(10 / (2 / 3) ** 0.5, 3))
    assert (found["low"][0], found["high"][0]) == pytest.approx((5 - 1.299228, 5 + 1.299228), abs=1e-5)
    words = [analyse.verdict_words(*pair) for pair in zip(found["verdict"], found["equivalent"], strict=True)]
    assert words == [BETTER, WORSE, NONE, UNDECIDED, f"better, yet {NONE}"] and NONE == "no difference of 2 points"


def test_correction_can_undo_a_difference():
    weak = [1.0, 4.0, 2.5, 5.0]  # p of about 0.03
    assert paired_p(weak) < 0.05
    assert analyse.decide([weak])["verdict"].tolist() == [BETTER]
    assert analyse.decide([weak] * 2)["verdict"].tolist() == [UNDECIDED] * 2
    # A planned one without rows counts.
    assert analyse.decide([weak, []])["verdict"].tolist() == [UNDECIDED, analyse.NOT_MEASURED]


def test_only_planned_seeds_of_every_arm_count(many, study, results):
    arms = {name: arm for name, arm in study.arms.items() if name != "whole_set"}
    study.arms = arms
    base, cal, both = [30.0, 31, 32, 33, 10], [34.0, 35.5, 36, 37], [34.0, 36, 36, 37.5, 99]
    rows = [row for ipc in (1, 3) for arm, values in (("none", base), ("cal", cal), ("both", both))
            for row in many(arm, values, ipc=ipc)]  # fmt: skip
    found = analyse.verdicts([results(*rows)], CONTRASTS, [1, 3], range(4))
    assert found["n"].tolist() == [4] * 4 and found["complete"].all()
    assert found["contrast"].tolist() == ["CAL − base"] * 2 + ["FD² − CAL"] * 2 and found["ipc"].tolist() == [1, 3] * 2
    assert found["mean"].tolist() == pytest.approx([4.125] * 2 + [0.25] * 2)
    assert found["verdict"].tolist() == [BETTER] * 2 + [NONE] * 2 and set(found["dataset"]) == {"cub200"}
    fewer = analyse.verdicts([results(*rows[:-1], *many("both", []))], CONTRASTS, [1, 3], range(6))
    assert not fewer["complete"].any() and fewer["n"].tolist() == [4] * 4
    # A seed that one arm lacks at one IPC counts for no contrast.
    missing = [row for row in rows if not (row["arm"] == "both" and row["ipc"] == "3" and row["seed"] == "2")]
    assert analyse.verdicts([results(*missing)], CONTRASTS, [1, 3], range(4))["n"].tolist() == [3] * 4
    with pytest.raises(SettingError, match=r"'x'.*'ghost'.*none, cal, both"):
        analyse.verdicts([results(*rows)], [("ghost", "none", "x")], [1], range(4))


def test_sets_of_one_question_share_its_correction_and_its_seeds(many, study, results):
    study.arms = {name: study.arms[name] for name in ("none", "cal")}
    one = results(*many("none", [1, 2, 3, 4]), *many("cal", [2.0, 6, 5.5, 10]))
    other = results(*many("none", [1, 2, 3], dataset="flowers102"), *many("cal", [2, 3, 4], dataset="flowers102"))
    both = analyse.verdicts([one, other], CONTRASTS[:1], [1], range(4))
    assert both["dataset"].tolist() == ["cub200", "flowers102"] and both["n"].tolist() == [3, 3]
    alone = analyse.verdicts([one], CONTRASTS[:1], [1], range(4))
    assert alone["n"].tolist() == [4] and alone["adjusted"][0] == alone["p"][0]
    assert both["adjusted"][0] == pytest.approx(both["p"][0]) and both["adjusted"][1] == 0


def test_parts_of_one_set_are_told_apart_by_their_titles(many, study, results):
    study.arms = {name: study.arms[name] for name in ("none", "cal")}
    first = results(*many("none", [1, 2, 3]), *many("cal", [2, 3, 4.5]))
    second = dataclasses.replace(first, title="random weights")
    found = analyse.verdicts([first, second], CONTRASTS[:1], [1], range(3))
    assert found["study"].tolist() == [first.title, "random weights"]
    assert set(analyse.verdicts([first], CONTRASTS[:1], [1], range(3))["study"]) == {""}


def test_without_rows_nothing_is_decided(study, results):
    study.arms = {name: study.arms[name] for name in ("none", "cal")}
    found = analyse.verdicts([results()], CONTRASTS[:1], [1, 3], range(3))
    assert (
        found["n"].tolist() == [0, 0]
        and found["verdict"].tolist() == [analyse.NOT_MEASURED] * 2
        and not found["complete"].any()
    )


def test_question_one_is_declared():
    study = load_study("answer")
    assert [(one.arm, one.reference) for one in study.contrasts] == [
        ("fd2", "base"), ("fd2", "rival"), ("fd2", "cal"), ("cal", "rival"), ("fd2", "real_cal"),
    ]  # fmt: skip
    few = study.only(["base", "rival", "fd2"])
    assert [(one.arm, one.reference) for one in few.contrasts] == [("fd2", "base"), ("fd2", "rival")]
    assert len(study.later) == 6 and not few.later and not set(study.later) & set(study.contrasts)
    assert all(load_study(name).reference in load_study(name).arms for name in list_studies())


@pytest.mark.parametrize("kind", ["contrasts", "later"])
@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        (["mine", "bse", "a title"], "arm in a contrast of study 'own' 'bse'.*Did you mean 'base'"),
        (["mine", "mine", "a title"], "two arms that differ, and a title"),
        (["mine", "base"], "two arms that differ, and a title"),
        ("mine", "two arms that differ, and a title"),
    ],
)
def test_a_contrast_of_an_unknown_arm_is_refused(monkeypatch, contrast, words, kind):
    arms = {name: {"title": name, "method": "random"} for name in ("base", "mine")}
    tables = {"own": {"title": "t", "reference": "base", kind: [contrast], "arms": arms}}
    monkeypatch.setattr("fd2lib.drive.studies.read_tables", lambda name: tables)
    with pytest.raises(SettingError, match=words):
        load_study("own")
