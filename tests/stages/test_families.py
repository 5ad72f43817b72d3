"""One network of each family as teacher and student, through all four stages at toy size."""

import pytest

from fd2lib.drive import Experiment
from fd2lib.ground import SettingError

SETTINGS = (
    "pretrain.stem=standard evaluate.stem=standard pretrain.epochs=1 pretrain.batch_size=8 pretrain.num_maps=2 "
    "distill.iterations=1 relabel.epochs=1 relabel.batch_size=4 evaluate.test_every=1"
)


def _row(tmp_path, **request):
    request = {"method": "sre2lpp_fd2", "overrides": SETTINGS, **request}
    experiment = Experiment(
        classes="2", image_size=32, ipc=1, device="cpu", runs_dir=str(tmp_path), progress=False, **request
    )
    return experiment.row()


@pytest.mark.parametrize(
    "backbone", ["resnet18", "densenet121", "mobilenetv2_100", "efficientnet-lite0", "convnext_tiny"]
)
def test_a_family_passes_through_all_stages(tmp_path, backbone):
    row = _row(tmp_path, backbone=backbone)
    assert (row["teacher_backbones"], row["student"]) == (backbone, backbone)
    assert 0 <= row["last_top1"] <= 100 and row["mean_pixel_change"] > 0


def test_a_vision_transformer_learns_as_student(tmp_path):
    row = _row(tmp_path, student="vit_tiny_patch16_224")
    assert (row["teacher_backbones"], row["student"]) == ("convnet4", "vit_tiny_patch16_224")


def test_teachers_of_different_families_share_a_run(tmp_path):
    row = _row(tmp_path, method="fadrm_fd2", teacher_backbones="convnet4 mobilenet_narrow")
    assert row["teacher_backbones"] == "convnet4 mobilenet_narrow"
    assert row["relabel_images"] == 2 * row["evaluate_images"]


def test_a_plain_teacher_without_batchnorm_needs_its_matching_off(tmp_path):
    with pytest.raises(SettingError, match="bn_weight to 0"):
        _row(tmp_path, method="sre2lpp", teacher_backbones="convnext_atto")
    row = _row(
        tmp_path, method="sre2lpp", teacher_backbones="convnext_atto", overrides=f"{SETTINGS} distill.bn_weight=0.0"
    )
    assert row["mean_pixel_change"] > 0
