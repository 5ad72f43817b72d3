"""The measuring commands: complete rows, replaced rather than repeated, described for people."""

import pytest

from fd2lib import measure
from fd2lib.drive import Experiment
from fd2lib.drive.cli import main
from fd2lib.drive.plans import TEACHERS
from fd2lib.record import ATTENTION, GEOMETRY, read_rows

SMALL = "pretrain.epochs=1 distill.iterations=2 pretrain.batch_size=16"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return Experiment(classes="2", image_size=32, ipc=2, overrides=SMALL, runs_dir=str(runs), progress=False)


def test_attention_rows_are_complete(experiment):
    parts = measure.part_masks(experiment.dataset)
    rows = [
        row
        for method in TEACHERS.values()
        for row in measure.attention_rows(experiment.with_(method=method), parts, occluded=4)
    ]
    assert all(row.keys() == ATTENTION.columns.keys() for row in rows)
    kinds = [(row["teacher_kind"], row["map"]) for row in rows]
    both = ["class_activation", "channel_mean", "occlusion"]
    assert [kind for teacher, kind in kinds if teacher == "plain"] == both
    assert {kind for teacher, kind in kinds if teacher == "cal"} == {*both, "head_attention", "head_occlusion"}
    for row in rows:
        assert 0 <= row["mass"] <= row["reachable"] + 1e-6 <= 100 + 1e-6 and 0 < row["chance"] < 50
    assert {row["images"] for row in rows if "occlusion" in row["map"]} == {4}


def test_geometry_rows_are_complete(experiment):
    spaces = [*measure.fixed_spaces(experiment), measure.judge_space(experiment, seed=1)]
    assert [space.name for space in spaces] == ["pixels", "judge"]  # no ImageNet weights at toy scale
    real = measure.geometry_rows(experiment.with_(method="random"), spaces)
    made = measure.geometry_rows(experiment, spaces)
    assert all(row.keys() == GEOMETRY.columns.keys() for row in real + made)
    assert [(row["images"], row["space"]) for row in made] == [
        (stage, space) for space in ("pixels", "judge") for stage in ("distilled", "start")
    ]
    for row in real:  # real images are copies of training images, and nothing moved
        assert (row["nearest"], row["own_start"], row["copies"]) == (0, 0, 100)
    by_stage = {row["images"]: row for row in made if row["space"] == "pixels"}
    assert by_stage["start"]["own_start"] == 0 < by_stage["distilled"]["own_start"]
    assert by_stage["start"]["within"] == real[0]["within"]  # both start from the same real images
    assert real[0]["real_nearest"] > 0 and real[0]["attention_similarity"] == ""
    assert -1 <= made[-1]["attention_similarity"] <= 1


def test_commands_take_their_options_and_write(tmp_path):
    common = ["--scale", "toy", "--classes", "2", "--image-size", "32", "--seeds", "0", "--quiet", "--overrides", SMALL]
    common += ["--runs-dir", str(tmp_path / "runs")]
    assert main(["attention", *common, "--occluded", "2", "--out", str(tmp_path / "attention.csv")]) == 0
    assert len(read_rows(tmp_path / "attention.csv", ATTENTION)) == 8
    words = ["geometry", *common, "--methods", "random,sre2lpp", "--starts", "whole", "--ipc", "2"]
    words += ["--out", str(tmp_path / "measure.csv")]
    assert main(words) == 0
    methods = [row["method"] for row in read_rows(tmp_path / "measure.csv", GEOMETRY)]
    assert {name: methods.count(name) for name in methods} == {"random": 2, "sre2lpp": 4}
    assert main([*words, "--seeds", "0,x"]) == 2
