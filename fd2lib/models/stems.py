"""Stems for small images: less is thrown away before the first block."""

from typing import Any

from timm.models.convnext import ConvNeXt
from timm.models.densenet import DenseNet
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import ResNet
from torch import nn

from fd2lib.ground import SettingError

SMALL_IMAGE = 64  # pixels; up to this side and without pretrained weights, stem "auto" is "small"
FAMILIES = "ResNet, DenseNet, MobileNet-V2, EfficientNet, EfficientNet-Lite and ConvNeXt"


def make_small_stem(network: nn.Module, name: str) -> None:
    """Change a timm network's stem in place so that its feature map is four times (ConvNeXt: two times) as wide.

    ResNet and DenseNet get a 3 × 3 convolution of stride 1 and no pooling; MobileNet-V2 and EfficientNet keep their
    weights and lose the strides of the stem and of the first strided block; ConvNeXt's patches are 2 × 2. New
    convolutions take fresh weights from PyTorch's global generator: call it inside ``seeded_initialisation``.

    Raises:
        SettingError: no small stem is known for the network.
    """
    if not has_small_stem(network):
        raise SettingError(f"backbone {name!r} has no small stem; expected one of {FAMILIES}. Use stem='standard'.")
    body: Any = network  # timm's types know one of the layers that each attribute may hold
    if isinstance(network, ResNet):
        body.conv1 = _three_by_three(body.conv1)
        body.maxpool = nn.Identity()
    elif isinstance(network, DenseNet):
        body.features.conv0 = _three_by_three(body.features.conv0)
        body.features.pool0 = nn.Identity()
    elif isinstance(network, EfficientNet):
        body.conv_stem.stride = (1, 1)
        _first_strided(body.blocks).stride = (1, 1)
    else:
        old = body.stem[0]
        new = nn.Conv2d(old.in_channels, old.out_channels, kernel_size=2, stride=2, bias=old.bias is not None)
        nn.init.trunc_normal_(new.weight, std=0.02)
        if new.bias is not None:
            nn.init.zeros_(new.bias)
        body.stem[0] = new


def has_small_stem(network: nn.Module) -> bool:
    """Return whether :func:`make_small_stem` knows the network's stem; deep and tiered stems it does not."""
    if isinstance(network, ResNet):
        return isinstance(network.conv1, nn.Conv2d)
    if isinstance(network, DenseNet):
        return not hasattr(network.features, "conv1")
    if isinstance(network, ConvNeXt):
        return isinstance(next(network.stem.children()), nn.Conv2d)
    return isinstance(network, EfficientNet)


def stem_keeps_weights(network: nn.Module) -> bool:
    """Return whether the small stem has the same weights as the standard one, so that pretrained ones fit."""
    return isinstance(network, EfficientNet)


def _three_by_three(old: nn.Conv2d) -> nn.Conv2d:
    new = nn.Conv2d(old.in_channels, old.out_channels, kernel_size=3, stride=1, padding=1, bias=old.bias is not None)
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new


def _first_strided(blocks: nn.Module) -> nn.Conv2d:
    return next(layer for layer in blocks.modules() if isinstance(layer, nn.Conv2d) and max(layer.stride) > 1)
