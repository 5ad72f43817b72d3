"""Every row of the paper's main table resolves to the method's settings, and each method's stages are its own."""

import csv
from pathlib import Path

import pytest

from fd2lib.ground import load_recipe

TABLE = Path(__file__).parents[2] / "results" / "paper.csv"
METHODS = {
    "RDED": "rded",
    "SRe2L++": "sre2lpp",
    "SRe2L++ + FD2": "sre2lpp_fd2",
    "FADRM+": "fadrm",
    "FADRM+ + FD2": "fadrm_fd2",
}
# Attention maps M and attention ratio λ, from the release's table.
HEADS = {
    "cub200": {"resnet18": (8, 0.5), "resnet50": (8, 0.3), "mobilenet_v2": (16, 0.5), "densenet121": (16, 0.4)},
    "aircraft": {"resnet18": (32, 0.3), "resnet50": (32, 0.4), "mobilenet_v2": (16, 0.2), "densenet121": (16, 0.4)},
    "cars196": {"resnet18": (8, 0.3), "resnet50": (32, 0.4), "mobilenet_v2": (16, 0.4), "densenet121": (32, 0.4)},
}
FOUR = ["resnet18", "mobilenet_v2", "resnet50", "densenet121"]


def _rows():
    with open(TABLE, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_has_its_ninety_rows():
    assert len(_rows()) == 90


@pytest.mark.parametrize("row", _rows(), ids=lambda row: "-".join([*list(row.values())[:4]]))
def test_a_row_of_the_papers_table_resolves_to_its_settings(row):
    dataset, student, ipc, method = row["dataset"], row["student"], int(row["ipc"]), METHODS[row["method"]]
    recipe = load_recipe("paper", dataset=dataset, backbone=student, ipc=ipc, method=method)
    fd2, fadrm = method.endswith("fd2"), method.startswith("fadrm")
    names = FOUR if fadrm else [student]
    assert [teacher.backbone for teacher in recipe.teacher_settings] == names
    assert recipe.label_teacher_settings == recipe.teacher_settings
    for teacher in recipe.teacher_settings:
        assert teacher.attention == fd2
        if fd2:
            assert (teacher.num_maps, teacher.attention_ratio) == HEADS[dataset][teacher.backbone]
            schedule = (teacher.epochs, teacher.batch_size, teacher.learning_rate, teacher.weight_decay)
            assert (*schedule, teacher.schedule) == (51, 4, 1e-3, 1e-5, "exponential")
            assert (teacher.prototype_rule, teacher.prototype_momentum, teacher.views) == ("ema", 0.05, "paper")
        else:
            schedule = (teacher.epochs, teacher.batch_size, teacher.learning_rate, teacher.weight_decay)
            assert (*schedule, teacher.schedule) == (100, 32, 1e-2, 1e-4, "cosine")
        assert (teacher.optimizer, teacher.momentum, teacher.init) == ("sgd", 0.9, "imagenet")
    _check_distillation(recipe, method, dataset, student, ipc)
    labels = recipe.relabel
    assert (labels.ipc, labels.epochs, labels.batch_size) == (ipc, 400, 14 if dataset == "cars196" else 20)
    assert (labels.label_mode, labels.label_source, labels.cutmix, labels.min_crop_scale) == (
        "batch", "backbone", True, 0.08,
    )  # fmt: skip
    exam = recipe.evaluate
    assert (exam.student, exam.labels, exam.temperature) == (student, "soft", 20.0)
    assert (exam.learning_rate, exam.weight_decay) == (1e-2 if fadrm else 1e-3, 1e-5)
    assert (recipe.image_size, recipe.classes, recipe.headline) == (224, "", "last")


def _check_distillation(recipe, method, dataset, student, ipc):
    images = recipe.distill
    assert images.ipc == ipc
    if method == "rded":
        assert (images.start, images.iterations) == ("pool2", 0)
        return
    assert images.cross_entropy_weight == 1.0
    assert (images.bn_weight, images.bn_first_multiplier) == (1e-3, 10.0)
    assert (images.min_crop_scale, images.shift, images.chunk_classes) == (0.08, 32, 100)
    if method.startswith("fadrm"):
        assert (images.start, images.iterations, images.learning_rate) == ("pool1", 6500, 0.1)
        assert images.phases == "1500@200 1500@224 1500@200 2000@224"
        assert (images.residual, images.precision, images.own_ratio) == (0.5, "mixed", True)
    else:
        steps = 10000 if dataset == "cub200" else 4000
        assert (images.start, images.iterations, images.learning_rate) == ("pool2", steps, 1e-3)
        assert (images.phases, images.residual, images.own_ratio) == ("", 0.0, False)
    if method.endswith("fd2"):
        assert (images.characteristic_weight, images.similarity_weight, images.group_size) == (0.8, 0.2, 4)
        assert (images.prototype_norm, images.similarity_views) == ("unit", "plain")
        assert images.base_cross_entropy == "kept"
        if not images.own_ratio:
            assert images.attention_ratio == HEADS[dataset][student][1]
    else:
        assert (images.characteristic_weight, images.similarity_weight, images.attention_ratio) == (0.0, 0.0, 0.0)
        assert images.base_cross_entropy == "replaced"


@pytest.mark.parametrize("dataset", ["imagenette", "imagewoof", "cifar10", "cifar100"])
def test_general_sets_have_sre2lpps_own_settings_but_fadrms_keep_theirs(dataset):
    plain = load_recipe("paper", dataset=dataset, method="sre2lpp").distill
    assert (plain.learning_rate, plain.bn_weight, plain.iterations) == (0.25, 0.01, 4000)
    phased = load_recipe("paper", dataset=dataset, method="fadrm").distill
    assert (phased.learning_rate, phased.bn_weight, phased.iterations) == (0.1, 1e-3, 6500)
    epochs = load_recipe("paper", dataset=dataset, method="sre2lpp").relabel.epochs
    assert epochs == (1000 if dataset.startswith("cifar") else 300)
