"""Controls: each comparison changes one thing, and is of two arms that the study has."""

import pytest

from fd2lib import analyse
from fd2lib.analyse.controls import CONTROLS
from fd2lib.drive import load_study


def test_each_pair_differs_in_images_or_in_labels_alone():
    arms = load_study("controls").arms
    for title, pairs in CONTROLS.items():
        for pair in pairs:
            one, other = (arms[name].request for name in pair[:2])
            images = [arm["method"].removesuffix("_cal") for arm in (one, other)]
            assert (images[0] == images[1]) == title.endswith("images stay"), pair


def test_effects_are_paired_and_by_what_changes(arm_row):
    study = load_study("controls")
    tops = {"random_hard": 10.0, "random_soft": 15.0, "random_cal": 17.0, "fd2_hard": 12.0, "fd2_soft": 20.0}
    rows = [arm_row(name, seed, top + seed) for seed in range(3) for name, top in tops.items()]
    labels, images = analyse.control_effects(analyse.study_results(study, rows)).values()
    assert labels["mean"].tolist() == pytest.approx([-5, -8, 2]) and set(labels["n"]) == {3}
    assert images.set_index("contrast")["mean"].to_dict() == {"fd2_soft_random_cal": 3, "fd2_hard_random_hard": 2}
