"""Studies against hand values: means and paired differences by arm, equal students, main effects, shares."""

import itertools
from types import SimpleNamespace

import pytest
from scipy import stats

from fd2lib import analyse
from fd2lib.ground import ArtefactError

LEVELS = (("plain", "crops", "cal"), ("off", "on"), ("plain", "crops", "cal"))
NAMES = ["_".join(key) for key in itertools.product(*LEVELS)]
FACTORIAL = SimpleNamespace(
    title="Factorial", reference=NAMES[0], arms={name: SimpleNamespace(title=name) for name in NAMES}
)


def test_differences_pair_seeds_and_equal_scipy(many, results):
    ours, base = [30.0, 33.0, 35.0, 31.0], [28.0, 32.5, 31.0]
    measured = results(*many("none", base), *many("cal", ours), *many("cal", [1, 2, 3], ipc=3))
    (found,) = analyse.arm_differences(measured).to_dict("records")  # at 3 per class there is no reference
    reference = stats.ttest_rel(ours[:3], base).confidence_interval(0.95)
    assert (found["ipc"], found["a"], found["b"], found["n"]) == (1, "cal", "none", 3)
    assert (found["low"], found["high"]) == pytest.approx((reference.low, reference.high))
    assert found["verdict"] == "undecided" == measured.gap("cal", 1).verdict
    assert measured.gap("cal", 1) == pytest.approx(analyse.Interval.of(found))
    assert measured.accuracy("none", 1).mean == pytest.approx(30.5) and measured.gap("cal", 3).n == 0


def test_title_and_reference_can_be_others(many, study):
    rows = many("none", [10, 20]) + many("cal", [15, 25])
    measured = analyse.study_results(study, rows, title="Other", reference="cal")
    assert measured.title == "Other" and analyse.arm_differences(measured)["b"].unique().tolist() == ["cal"]


def test_equal_images_and_students_are_the_same_and_equal_accuracies_alone_are_not(many, results):
    base = many("none", [10, 20, 30])
    equal = [{**one, "arm": "cal"} for one in base]
    measured = results(*base, *equal, *many("both", [10, 20, 30]))
    verdicts = analyse.arm_differences(measured).set_index("a")["verdict"]
    assert verdicts["cal"] == "the same" and verdicts["both"] == "undecided"
    assert analyse.twins(measured) == [(1, ["none", "cal"])]


def test_whole_set_stands_beside_each_ipc_and_says_its_images(many, results):
    whole = many("whole_set", [60, 62, 64], ipc=0, asked_ipc=1, evaluate_images=600)
    small = [one for ipc in (1, 3) for one in many("none", [20, 22, 24], ipc=ipc)]
    measured = results(*whole, *[{**one, "asked_ipc": "3"} for one in whole], *small)
    assert measured.ipcs == [1, 3] and measured.titles["whole_set"] == "whole set (120 images)"
    assert all(measured.accuracies("whole_set", ipc).tolist() == [60, 62, 64] for ipc in (1, 3))
    assert results(*whole).ipcs == [1]
    assert analyse.arm_means(measured)["arm"].tolist() == ["none", "whole_set"] * 2


def test_one_scale_one_image_set_each_student_once(many, results):
    measured = results(*many("none", [10, 12, 14]))
    assert (measured.place["scale"], measured.place["image_set"]) == ("reduced", "cub200")
    for other in ({"scale": "toy"}, {"image_set": "mine"}, {"images_fingerprint": "other"}):
        with pytest.raises(ArtefactError, match="one scale and image set"):
            results(*many("none", [1]), *many("cal", [1], **other))
    with pytest.raises(ArtefactError, match="twice"):
        results(*many("none", [1]), *many("none", [2]))


def test_a_study_without_rows(results):
    assert results().ipcs == [] and results().measured == [] and results().place == {}
    assert analyse.arm_differences(results()).empty and analyse.arm_means(results()).empty
    assert analyse.shares(results(), "both").empty and analyse.factor_effects(results()).empty


def test_shares_are_taken_within_seeds(many, results):
    measured = results(*many("none", [10, 30]), *many("both", [20, 40, 50]))
    table = analyse.shares(measured, "both").set_index("arm")
    assert table.loc["none", "mean"] == pytest.approx((50 + 75) / 2) and table.loc["none", "n"] == 2
    assert table.loc["both", "mean"] == 100
    assert analyse.shares(measured, "cal").empty  # not measured


@pytest.fixture
def cells(arm_row):
    """Accuracies that add up: constraints 3, teachers 0, 2 and 5, labels 0, 4, 7 (8 in seed 1), seeds 0, 10, 20."""
    effects = ({"plain": 0, "crops": 2, "cal": 5}, {"off": 0, "on": 3}, {"plain": 0, "crops": 4, "cal": 7})

    def make(skip=()):
        return [
            arm_row(name, seed, 10 * seed + (seed == 1 and name.endswith("cal"))
                    + sum(part[level] for part, level in zip(effects, name.split("_"), strict=True)))
            for seed in range(3) for name in NAMES if (name, seed) not in skip
        ]  # fmt: skip

    return make


def test_main_effects_of_a_full_factorial(cells):
    effects = analyse.factor_effects(analyse.study_results(FACTORIAL, cells()))
    found = {(one["a"], one["b"]): one for one in effects.to_dict("records")}
    means = {key: one["mean"] for key, one in found.items()}
    assert means == {
        ("constraints on", "constraints off"): pytest.approx(3),
        ("images by CAL", "images by plain"): pytest.approx(5),
        ("images by crops", "images by plain"): pytest.approx(2),
        ("images by CAL", "images by crops"): pytest.approx(3),
        ("CAL labels", "plain labels"): pytest.approx(22 / 3),
        ("crops labels", "plain labels"): pytest.approx(4),
        ("CAL labels", "crops labels"): pytest.approx(10 / 3),
    }
    labels = found["CAL labels", "plain labels"]
    low, high = stats.t.interval(0.95, 2, loc=22 / 3, scale=stats.sem([7, 8, 7]))
    assert (labels["low"], labels["high"]) == pytest.approx((low, high))
    assert "labels of CAL − crops" in set(effects["effect"]) and "constraints on − off" in set(effects["effect"])
    assert set(effects["over"]) == {"6 of 6", "9 of 9"} and set(effects["n"]) == {3}
    assert set(effects["scale"]) == {"reduced"} and set(effects["image_set"]) == {"cub200"}


def test_effects_average_over_the_same_settings_in_every_seed(cells):
    # One cell has a seed less, another none: without the same settings in each seed, seeds would not cancel.
    skip = {("cal_on_cal", 2)} | {("plain_on_plain", seed) for seed in range(3)}
    effects = analyse.factor_effects(analyse.study_results(FACTORIAL, cells(skip)))
    first = effects.iloc[0]
    assert first["a"] == "constraints on" and first["mean"] == pytest.approx(3)
    assert (first["over"], first["n"]) == ("7 of 9", 3)


def test_teachers_of_a_factorial_are_compared_with_the_plain_one(cells):
    tops = {"plain": 20.0, "crops": 26.0, "cal": 24.5}
    rows = [{**one, "label_teacher_top1": str(tops[one["arm"].split("_")[2]] + int(one["seed"]))} for one in cells()]
    rows += [{**one, "ipc": "3", "asked_ipc": "3"} for one in rows]
    teachers = analyse.teacher_results(analyse.study_results(FACTORIAL, rows))
    assert teachers.accuracies("crops", 0).tolist() == [26.0, 27.0, 28.0]
    gaps = analyse.arm_differences(teachers).set_index("a")
    assert gaps.loc["cal", "mean"] == pytest.approx(4.5) and gaps.loc["crops", "n"] == 3
    assert analyse.teacher_results(analyse.study_results(FACTORIAL, [])).rows.empty


def test_every_comparison_with_a_verdict_once(many, results, cells):
    measured = results(*many("none", [10, 12, 14]), *many("cal", [20, 22.5, 24]), *many("both", [9, 9]))
    crossed = analyse.study_results(FACTORIAL, cells())
    found = analyse.judged({"parts": measured, "factorial": crossed}).set_index("contrast")
    assert found.loc["parts_cal", "a"] == "CAL" and found.loc["parts_cal", "b"] == "base"
    assert "parts_both" not in found.index  # two seeds
    assert found.loc["labels_cal_plain", "mean"] == pytest.approx(22 / 3)
    assert set(found["study"]) == {"Parts", "Factorial"}
    assert not [name for name in found.index if name.startswith("factorial_")]
    assert analyse.compared({"parts": measured})["contrast"].tolist() == ["parts_cal", "parts_both"]
