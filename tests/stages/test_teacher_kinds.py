"""Kinds of teacher: a head that only reads leaves the backbone as it is without one."""

import dataclasses

import pytest
import torch

from fd2lib.ground import load_recipe
from fd2lib.models import Teacher
from fd2lib.stages import PretrainInputs, run_pretrain

TINY = {"pretrain.epochs": 2, "pretrain.batch_size": 8, "pretrain.num_maps": 2}


def _train(root, data, kind, **changes):
    settings = load_recipe(
        "toy", dataset="plumage", method="sre2lpp", teacher_kind=kind, overrides={**TINY, **changes}
    ).pretrain
    return settings, Teacher.load(run_pretrain(settings, PretrainInputs(data), root, progress=False).folder)


def _same(first, second):
    one, two = first.backbone.state_dict(), second.backbone.state_dict()
    return all(torch.equal(one[key], two[key]) for key in one)


def test_a_probe_leaves_the_backbone_bit_identical(tmp_path, data):
    _, plain = _train(tmp_path / "plain", data, "plain")
    settings, probed = _train(tmp_path / "probed", data, "probed")
    assert settings.attention and settings.head_gradient == "stopped"
    assert _same(plain, probed)
    assert probed.head is not None and probed.prototypes.prototypes.abs().sum() > 0


def test_random_crops_train_the_same_backbone_with_and_without_a_probe(tmp_path, data):
    settings, probed = _train(tmp_path / "probed", data, "crops")
    bare = dataclasses.replace(settings, attention=False)
    alone = Teacher.load(run_pretrain(bare, PretrainInputs(data), tmp_path / "bare", progress=False).folder)
    _, plain = _train(tmp_path / "plain", data, "plain")
    assert _same(probed, alone)
    assert not _same(probed, plain)


def test_cal_does_change_the_backbone(tmp_path, data):
    _, plain = _train(tmp_path / "plain", data, "plain")
    _, cal = _train(tmp_path / "cal", data, "cal")
    assert not _same(plain, cal)


@pytest.mark.parametrize("kind", ["probed", "crops"])
def test_constraints_on_a_plain_backbone_differ_from_none(kind):
    off = load_recipe("reduced", dataset="cub200", method="sre2lpp", teacher_kind=kind)
    on = load_recipe("reduced", dataset="cub200", method="sre2lpp_fd2", teacher_kind=kind)
    assert off.teacher_settings == on.teacher_settings
    differing = {key for key, value in on.values().items() if value != off.values()[key]}
    assert differing == {"distill.characteristic_weight", "distill.similarity_weight"}
