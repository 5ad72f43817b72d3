"""Every method passes through all stages, studies are found again by their settings, recipes are told to people."""

import json

import pytest

from fd2lib.drive import (
    Experiment,
    grid_requests,
    list_studies,
    load_plan,
    load_study,
    run_grid,
    study_grid,
    study_rows,
)
from fd2lib.drive.asked import resolve_recipe
from fd2lib.drive.cli import main
from fd2lib.drive.recipe_text import diff_recipes, parse_recipe
from fd2lib.ground import SCALES, SettingError, list_methods
from fd2lib.record import STUDENTS, read_rows

TINY = (
    "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=4 "
    "relabel.epochs=2 relabel.batch_size=8 evaluate.test_every=2"
)


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return dict(
        scale="toy", classes="4", image_size=32, overrides=TINY, device="cpu", runs_dir=str(runs), progress=False
    )


@pytest.fixture(scope="module")
def rows(request_):
    """One row of each method at IPC 2."""
    first = Experiment(ipc=2, **request_)
    return {method: first.with_(method=method).row() for method in list_methods()}


@pytest.mark.parametrize("method", list_methods())
def test_a_method_passes_through_all_stages_and_leaves_a_complete_row(rows, method):
    row = rows[method]
    assert row.keys() == STUDENTS.columns.keys()
    assert (row["method"], row["num_classes"]) == (method, 4)
    assert 0 <= row["last_top1"] <= row["best_top1"] <= 100
    optimised = method.startswith(("sre2lpp", "fadrm"))
    assert (row["mean_pixel_change"] > 0) == (row["distill_images"] > 0) == optimised


def test_rows_say_who_made_images_and_labels(rows):
    kinds = {name: (row["teacher_kind"], row["label_teacher_kind"]) for name, row in rows.items()}
    assert kinds == {
        "random": ("", "plain"),
        "random_cal": ("", "cal"),
        "rded": ("plain", "plain"),
        "sre2lpp": ("plain", "plain"),
        "sre2lpp_fd2": ("cal", "cal"),
        "fadrm": ("plain", "plain"),
        "fadrm_fd2": ("cal", "cal"),
        "whole_set": ("", ""),
    }
    assert rows["fadrm_fd2"]["teacher_backbones"] == "convnet4 resnet10_narrow"
    settings = json.loads(rows["fadrm_fd2"]["settings"])
    assert [teacher["backbone"] for teacher in settings["teacher_settings"]] == ["convnet4", "resnet10_narrow"]


def test_costs_count_images_and_the_whole_set_asks_no_teacher(rows):
    train, epochs = 4 * 60, 2
    assert rows["whole_set"]["evaluate_images"] == epochs * train
    assert rows["whole_set"]["pretrain_images"] == rows["whole_set"]["labels_bytes"] == 0
    assert rows["sre2lpp"]["pretrain_images"] == train
    assert rows["sre2lpp_fd2"]["pretrain_images"] == 3 * train  # whole image, attention crop, attention drop
    assert rows["fadrm_fd2"]["pretrain_images"] == 2 * 3 * train
    assert rows["fadrm"]["relabel_images"] == 2 * rows["sre2lpp"]["relabel_images"] == 2 * epochs * 2 * 4
    assert rows["sre2lpp"]["distill_images"] == 4 * 2 * 4


def test_the_teacher_of_images_and_that_of_labels_can_be_told_apart(request_):
    row = Experiment(method="sre2lpp_fd2", teacher_kind="probed", label_teacher_kind="cal", ipc=1, **request_).row()
    assert (row["teacher_kind"], row["label_teacher_kind"]) == ("probed", "cal")
    label_teachers = json.loads(row["settings"])["label_teacher_settings"]
    assert [teacher["head_gradient"] for teacher in label_teachers] == ["flows"]


def test_true_classes_train_no_teacher(tmp_path, request_):
    changes = {**request_, "runs_dir": str(tmp_path), "overrides": TINY + " evaluate.labels=hard"}
    row = Experiment(ipc=1, **changes).with_(method="random").row()
    assert (row["labels"], row["labels_bytes"], row["teacher_top1"]) == ("hard", 0, "")
    assert not (tmp_path / "pretrain").exists()


@pytest.mark.parametrize("name", list_studies())
@pytest.mark.parametrize("scale", SCALES)
def test_every_arm_of_a_study_resolves_and_differs_from_the_others(name, scale):
    study = load_study(name)
    dataset = "plumage" if scale == "toy" else "cub200"
    experiments = list(study_grid(study, [2], [0], scale=scale, dataset=dataset, device="cpu"))
    assert study.reference in study.arms and len(experiments) == len(study.arms)
    recipes = [one.recipe for one in experiments]
    told_apart = {(str(recipe.values()), recipe.label_teacher_settings) for recipe in recipes}
    same = 1 if (name, scale) in {("weights", "paper"), ("movement", "paper")} else 0
    assert len(told_apart) >= len(study.arms) - same


def test_a_study_is_found_again_by_its_settings(tmp_path, request_):
    study = load_study("parts").only(["none", "similarity"])
    run_grid(list(study_grid(study, [1, 2], [0], **request_)), tmp_path / "runs.csv", progress=False)
    rows = read_rows(tmp_path / "runs.csv")
    found = study_rows(load_study("parts"), rows, [1, 2], [0, 1], **request_)
    assert [(row["arm"], row["asked_ipc"]) for row in found] == [
        ("none", "1"), ("none", "2"), ("similarity", "1"), ("similarity", "2"),
    ]  # fmt: skip
    assert not study_rows(study, rows, [1], [0], **{**request_, "overrides": TINY + " distill.iterations=5"})
    with pytest.raises(SettingError, match="'silimarity'"):
        study.only(["silimarity"])


def test_the_bundles_differ_in_exactly_what_is_disputed():
    differing = diff_recipes(parse_recipe("paper"), parse_recipe("release"))
    assert differing == {
        "general.headline": ("last", "best"),
        "pretrain.views": ("paper", "release"),
        "pretrain.prototype_rule": ("ema", "release"),
        "distill.base_cross_entropy": ("kept", "replaced"),
        "distill.characteristic_weight": (0.8, 0.9),
        "distill.similarity_weight": (0.2, 0.1),
        "distill.prototype_norm": ("unit", "raw"),
        "distill.similarity_views": ("plain", "cropped"),
        "distill.mosaics": ("distinct", "repeated"),
    }
    student = diff_recipes(
        *(parse_recipe(f"paper/sre2lpp_fd2/cub200/resnet50@{name}") for name in ("paper", "release"))
    )
    assert student.keys() - differing.keys() == {"evaluate.student_init"}
    base = diff_recipes(*(parse_recipe(f"paper/sre2lpp/cub200/resnet18@{name}") for name in ("paper", "release")))
    assert base.keys() == differing.keys() - {
        "distill.base_cross_entropy", "distill.characteristic_weight", "distill.similarity_weight",
    }  # fmt: skip


def test_recipes_are_printed_with_every_source(capsys):
    assert main(["recipes", "show", "paper/fadrm_fd2/aircraft/resnet50"]) == 0
    text = capsys.readouterr().out
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "1500@200" in lines["distill.phases"] and "FADRM" in lines["distill.phases"]
    assert "0.2" in lines["pretrain[2].attention_ratio"]
    assert all(len(line.split()) > 2 for line in lines.values())
    assert main(["recipes", "diff", "paper", "release"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["paper", "release"] and ["distill.prototype_norm", "unit", "raw"] in rows
    assert main(["recipes", "diff", "paper", "paper@paper"]) == 0
    assert "the same" in capsys.readouterr().out
    assert main(["recipes"]) == 0
    everything = capsys.readouterr().out
    assert all(f"{scale}/{method}" in everything for scale in SCALES for method in ("random", "whole_set", "fadrm"))
    assert main(["recipes", "show", "papier"]) == 2
    told = capsys.readouterr().err
    assert "'papier'" in told and "toy, reduced, paper, release." in told


def test_the_nested_design_shares_no_images_and_no_students():
    """Two teachers, two sets of images of each and two students of each set, for two methods: all of other seeds."""
    (part,) = load_plan("variance").parts
    recipes = [resolve_recipe(request) for request in grid_requests(part)]
    assert len(recipes) == 16 and {one.relabel.ipc for one in recipes} == {3}
    for method in ("sre2lpp", "sre2lpp_fd2"):
        own = [one for one in recipes if one.method == method]
        seeds = {(one.pretrain.seed, one.distill.seed, one.relabel.seed, one.evaluate.seed) for one in own}
        assert [len({seed[place] for seed in seeds}) for place in range(4)] == [2, 4, 8, 8]
        assert [len({seed[:place] for seed in seeds}) for place in range(1, 5)] == [2, 4, 8, 8]
