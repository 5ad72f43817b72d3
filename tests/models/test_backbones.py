"""Backbones by name: features, stems, seeds and words for what does not work."""

import pytest
import timm
import torch

from fd2lib.ground import SettingError
from fd2lib.models import create_backbone, list_backbones


@pytest.mark.parametrize("name", sorted(list_backbones()))
@pytest.mark.parametrize(("size", "side"), [(32, 4), (64, 4), (96, 6)])
def test_small_networks_give_maps_worth_attending_to(name: str, size: int, side: int) -> None:
    backbone = create_backbone(name, 7, image_size=size)
    side = size // 8 if name == "convnet4" else side  # the plain stack never starts with a stride
    output = backbone(torch.rand(2, 3, size, size))
    assert output.logits.shape == (2, 7)
    assert output.features.shape == (2, backbone.num_features, side, side)
    assert backbone.feature_size == (side, side)
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in backbone.modules())


@pytest.mark.parametrize(
    ("name", "channels", "side"),
    [
        ("resnet18", 512, 8),
        ("mobilenet_v2", 1280, 8),
        ("densenet121", 1024, 8),
        ("efficientnet_lite0", 1280, 8),
        ("convnext_atto", 320, 4),
    ],
)
def test_small_stems_widen_the_map_of_every_family(name: str, channels: int, side: int) -> None:
    backbone = create_backbone(name, 3, image_size=64)
    assert (backbone.stem, backbone.num_features, backbone.feature_size) == ("small", channels, (side, side))
    standard = create_backbone(name, 3, image_size=64, stem="standard")
    assert standard.feature_size == (2, 2)


def test_features_are_after_the_last_activation_and_give_the_logits() -> None:
    backbone = create_backbone("resnet18", 3, image_size=64).eval()
    output = backbone(torch.rand(2, 3, 64, 64))
    assert output.features.min() == 0
    logits = backbone.network.fc(output.features.mean(dim=(2, 3)))
    torch.testing.assert_close(output.logits, logits)


def test_stem_auto_is_standard_for_larger_images_and_for_pretrained_weights(tmp_path) -> None:
    assert create_backbone("resnet18", 3, image_size=96).stem == "standard"
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("resnet18", num_classes=3).state_dict(), path)
    assert create_backbone("resnet18", 3, image_size=64, init=str(path)).stem == "standard"


def test_the_seed_alone_decides_the_weights() -> None:
    state = torch.random.get_rng_state()
    one, again, other = (create_backbone("resnet10_narrow", 3, image_size=32, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["network.conv1.weight"], other["network.conv1.weight"])
    assert torch.equal(state, torch.random.get_rng_state())


def test_networks_are_made_in_training_mode_and_unmarked_by_the_probe() -> None:
    backbone = create_backbone("resnet10_narrow", 3, image_size=32)
    assert all(module.training for module in backbone.modules())
    assert backbone.network.bn1.num_batches_tracked == 0
    assert backbone.mean is None and backbone.std is None


def test_channels_last_networks_give_channels_first_features() -> None:
    backbone = create_backbone("swin_s3_tiny_224", 3, image_size=224)
    output = backbone(torch.rand(1, 3, 224, 224))
    assert output.features.shape == (1, backbone.num_features, 7, 7)


def test_networks_without_a_map_are_for_students_only() -> None:
    with pytest.raises(SettingError, match="attention head needs"):
        create_backbone("vit_tiny_patch16_224", 3, image_size=64)
    backbone = create_backbone("vit_tiny_patch16_224", 3, image_size=64, features=False)
    output = backbone(torch.rand(2, 3, 64, 64))
    assert output.logits.shape == (2, 3)
    assert output.features is None and not backbone.has_feature_map


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet19", "Did you mean 'resnet18'"),
        ("resnet10_narow", "Did you mean 'resnet10_narrow'"),
        ("shufflenet_v2_x0_5", "not in timm"),
        ("???", "timm.list_models"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(SettingError) as caught:
        create_backbone(name, 3, image_size=64)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_cannot_be_made_says_why() -> None:
    with pytest.raises(SettingError, match="no small stem; expected one of ResNet, DenseNet"):
        create_backbone("vgg11_bn", 3, image_size=64, stem="small")
    with pytest.raises(SettingError, match="unknown stem 'tiny'"):
        create_backbone("resnet18", 3, image_size=64, stem="tiny")
    with pytest.raises(SettingError, match="num_classes is 0"):
        create_backbone("resnet18", 0, image_size=64)
    with pytest.raises(SettingError, match="no ImageNet weights"):
        create_backbone("resnet10_narrow", 3, image_size=64, init="imagenet")


def test_networks_without_a_small_stem_keep_their_own_under_auto() -> None:
    assert create_backbone("regnetx_002", 3, image_size=64).stem == "standard"


def test_a_failed_download_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(SettingError, match="path of a state dict") as caught:
        create_backbone("resnet18", 3, image_size=224, init="imagenet")
    assert "network is unreachable" in str(caught.value)


def test_pretrained_stems_are_not_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    make = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *args, **kwargs: make(*args, **(kwargs | {"pretrained": False})))
    with pytest.raises(SettingError, match="do not fit its small stem"):
        create_backbone("resnet18", 3, image_size=64, init="imagenet", stem="small")
    backbone = create_backbone("resnet18", 3, image_size=64, init="imagenet")
    assert backbone.stem == "standard"
    assert backbone.mean == (0.485, 0.456, 0.406)
    assert create_backbone("mobilenetv2_100", 3, image_size=64, init="imagenet", stem="small").stem == "small"
