"""Intervals and paired differences against scipy and hand values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fd2lib.analyse import (
    GROUP,
    Interval,
    binomial_interval,
    contradictions,
    control_difference,
    interval,
    load_rows,
    named,
    paired_difference,
    summarise,
)


def test_interval_equals_scipy():
    values = [40.3, 42.3, 41.3, 37.6]
    mean, low, high, number = interval(values)
    expected = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / 4, scale=stats.sem(values))
    assert (mean, number) == (pytest.approx(40.375), 4)
    assert (low, high) == pytest.approx(expected)


def test_interval_by_hand():
    # mean 2, standard deviation 1, n 3: 4.302653 · 1 / √3
    assert interval([1, 2, 3])[1:3] == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


def test_one_value_has_no_interval():
    mean, low, high, number = interval([7.0, float("nan")])
    assert (mean, number) == (7.0, 1)
    assert low != low and high != high


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9), st.floats(-50, 50), st.randoms())
def test_an_interval_moves_with_its_values_and_not_with_their_order(values, shift, random):
    base, moved = interval(values), interval([value + shift for value in values])
    shuffled = random.sample(values, len(values))
    assert moved[:3] == pytest.approx([end + shift for end in base[:3]], abs=1e-6)
    assert interval(shuffled) == pytest.approx(base, abs=1e-9) and base.low <= base.mean <= base.high


@pytest.mark.parametrize(
    ("found", "signed", "digits", "text"),
    [
        (Interval(15.81, 13.1, 18.52, 3), False, 1, "15.8 [13.1, 18.5]"),
        (Interval(-0.4, -1.25, 0.5, 3), True, 2, "−0.40 [−1.25, +0.50]"),
        (Interval(7.0, math.nan, math.nan, 1), False, 1, "7.0 [one seed]"),
        (Interval(math.nan, math.nan, math.nan, 0), True, 1, "–"),
    ],
)
def test_an_interval_as_a_person_writes_it(found, signed, digits, text):
    assert found.text(signed, digits).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("low", "high", "number", "expected"),
    [
        (0.1, 2, 3, "above zero"),
        (-2, -0.1, 5, "below zero"),
        (-1, 1, 5, "undecided"),
        (0, 1, 5, "undecided"),
        (2, 2, 2, "too few seeds"),
        (float("nan"), float("nan"), 1, "too few seeds"),
    ],
)
def test_verdict(low, high, number, expected):
    assert Interval((low + high) / 2, low, high, number).verdict == expected


def test_wilson_interval_by_its_formula():
    found = binomial_interval(40.0, 100)
    assert (found.mean, found.n) == (40.0, 100) and found[1:3] == pytest.approx((30.94, 49.80), abs=0.01)


@given(number=st.integers(1, 5000), share=st.floats(0, 1))
def test_intervals_of_accuracies_hold_them_and_end_at_none_and_all(number, share):
    hits = round(share * number)
    found = binomial_interval(100 * hits / number, number)
    assert 0 <= found.low <= found.mean + 1e-9 and found.mean - 1e-9 <= found.high <= 100
    assert (found.low == 0) is (hits == 0) and (found.high == 100) is (hits == number)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50))
def test_intervals_of_means_are_those_of_scipy(values):
    found, error = interval(values), stats.sem(values)
    known = stats.t.interval(0.95, len(values) - 1, np.mean(values), error) if error else (found.mean, found.mean)
    assert (found.low, found.high) == pytest.approx(known, rel=1e-6, abs=1e-6)


def test_summarise_keeps_scales_apart(student):
    rows = [student("sre2lpp", s, last_top1=10 + s) for s in range(3)]
    rows += [student("sre2lpp", s, last_top1=50 + s, scale="paper", image_size=224) for s in range(2)]
    summary = summarise(load_rows(rows))
    assert list(summary.columns) == [*GROUP, "mean", "low", "high", "n"]
    assert dict(zip(summary["scale"], summary["n"], strict=True)) == {"paper": 2, "toy": 3}
    assert dict(zip(summary["scale"], summary["mean"], strict=True)) == {"paper": 50.5, "toy": 11.0}


def test_paired_difference_uses_only_seeds_of_both_and_equals_scipy(student):
    ours, base = [30.0, 33.0, 35.0, 31.0], [28.0, 32.5, 31.0]
    rows = [student("fd2", s, last_top1=v) for s, v in enumerate(ours)]
    rows += [student("base", s, last_top1=v) for s, v in enumerate(base)]
    (found,) = paired_difference(load_rows(rows), "fd2", "base").to_dict("records")
    reference = stats.ttest_rel(ours[:3], base).confidence_interval(0.95)
    assert found["n"] == 3
    assert found["mean"] == pytest.approx((2 + 0.5 + 4) / 3)
    assert (found["low"], found["high"]) == pytest.approx((reference.low, reference.high))
    assert found["verdict"] == "undecided"


def test_pairs_never_cross_starts_ipc_or_images(student):
    rows = [
        student("fd2", start="pool2"),
        student("base", start="whole"),
        student("base", start="pool2", ipc=3),
        student("base", start="pool2", images_fingerprint="other images"),
    ]
    assert paired_difference(load_rows(rows), "fd2", "base").empty


def test_whole_real_images_are_the_control_of_every_start(student):
    rows = [student("fd2", s, last_top1=30.0 + s, start="pool2") for s in range(2)] + [student("fd2", last_top1=40.0)]
    rows += [student("random", s, last_top1=20.0) for s in range(2)] + [student("random", last_top1=99, start="pool2")]
    found = control_difference(load_rows(rows), "fd2", "random").set_index("start")
    assert found["mean"].to_dict() == {"pool2": 10.5, "whole": 20.0}
    assert found["n"].to_dict() == {"pool2": 2, "whole": 1}


def test_named_intervals_and_what_a_text_says_of_them(student):
    rows = [student("base", s, last_top1=10 + s, ipc=ipc) for s in range(3) for ipc in (1, 3)]
    rows += [student("fd2", s, last_top1=12 + s, ipc=1) for s in range(3)]
    rows += [student("fd2", s, last_top1=value, ipc=3) for s, value in enumerate((9, 12, 13))]
    gaps = named(paired_difference(load_rows(rows), "fd2", "base"), "start", "ipc")
    assert gaps == {"whole_1": (2, 2, 2, 3), "whole_3": pytest.approx(interval([-1, 1, 1]))}
    assert contradictions(gaps, above_zero="whole_1") == []
    assert contradictions(gaps) == ["whole_1: above zero"]  # the text does not know of it
    assert contradictions(gaps, below_zero="whole_1") == ["whole_1: above zero"]
    assert contradictions(gaps, above_zero="whole_1 whole_3") == ["whole_3: undecided"]
    assert contradictions(gaps, above_zero="whole_1 other") == ["other: not measured"]
