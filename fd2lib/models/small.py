"""Networks for small images: a few of fd2lib's own, and stems of timm's that throw less away.

The networks are for images of 32 to 96 px on a processor: teachers and students in minutes. Each is a narrow or shallow
member of a family that the paper uses, or a plain stack of convolutions. All stay in this table, so timm's own registry
is left as it is. A stride of 2 in the first layer and none of the usual pooling make the final feature map 4 × 4 at
64 px (8 × 8 for the plain stack); :func:`fd2lib.models.create_backbone` takes stride 1 for 32 px and below.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from timm.models._efficientnet_builder import decode_arch_def
from timm.models.convnext import ConvNeXt
from timm.models.densenet import DenseNet
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from fd2lib.ground import SettingError

SMALL_IMAGE = 64  # pixels; up to this side and without pretrained weights, stem "auto" is "small"
Sizes = tuple[int, ...]  # one of each stage
FAMILIES = "ResNet, DenseNet, MobileNet-V2, EfficientNet, EfficientNet-Lite and ConvNeXt"


class Network(nn.Module):
    """What fd2lib uses of a network: timm's have it, and fd2lib's own. Only type checkers look at this class."""

    num_features: int  # C, channels of the feature map
    forward_features: Callable[[Tensor], Tensor]  # images -> feature map
    forward_head: Callable[[Tensor], Tensor]  # feature map -> logits
    get_classifier: Callable[[], nn.Module]  # -> last layer
    pretrained_cfg: Mapping[str, Any]  # of its pretrained weights: mean and std of their pixels


class ConvNet(Network):
    """The plain network of the distillation literature: blocks of convolution, BatchNorm, ReLU and pooling.

    The logits are pooled by maximum, so a mark of a few pixels anywhere in the image can decide a class.

    Args:
        num_classes: K.
        channels: of each block; every block but the last halves height and width.
    """

    def __init__(self, num_classes: int, channels: Sizes) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in zip((3, *channels), channels, strict=False):
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            blocks += [nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*blocks[:-1])
        self.num_features = channels[-1]
        self.classifier = nn.Linear(channels[-1], num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Give the last block's activations, ``[B, C, h, w]``."""
        return self.blocks(x)

    def forward_head(self, features: Tensor) -> Tensor:
        """Give the logits of a feature map, ``[B, K]``."""
        return self.classifier(features.amax(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Classify normalised images."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the last layer, as timm's networks do."""
        return self.classifier


def _convnet(num_classes: int, stride: int) -> Network:
    del stride  # the first layer keeps the full resolution at every size
    return ConvNet(num_classes, (24, 48, 96, 96))


class SmallNetwork(NamedTuple):
    """One entry of the table."""

    description: str
    build: Callable[[int, int], Network]  # (number of classes, stride of the first layer) -> network


# In what follows timm's networks are Any: its types know one of the layers that each attribute may hold.
def _resnet(block: Any, layers: Sizes, channels: Sizes, num_classes: int, stride: int) -> Network:
    # timm fixes 64 channels after a plain stem but not after a deep one, whose convolutions are replaced by one.
    network: Any = ResNet(
        block, layers, num_classes=num_classes, channels=channels, stem_type="deep", stem_width=channels[0] // 2
    )
    network.conv1 = nn.Conv2d(3, channels[0], kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


def _densenet(growth: int, layers: Sizes, num_classes: int, stride: int) -> Network:
    network: Any = DenseNet(growth_rate=growth, block_config=layers, num_classes=num_classes)
    network.features.conv0 = nn.Conv2d(3, 2 * growth, kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(network.features.conv0.weight)
    network.features.pool0 = nn.Identity()
    return network


def _mobilenet(num_classes: int, stride: int) -> Network:
    stages = [["ds_r1_k3_s1_c16"], ["ir_r1_k3_s2_e4_c24"], ["ir_r2_k3_s2_e4_c40"], ["ir_r2_k3_s2_e4_c80"]]
    blocks = decode_arch_def(stages)  # type: ignore[no-untyped-call]  # timm's function carries no types
    network: Any = EfficientNet(blocks, num_classes=num_classes, num_features=256, stem_size=16, act_layer=nn.ReLU6)
    network.conv_stem.stride = (stride, stride)
    return network


SMALL_NETWORKS: dict[str, SmallNetwork] = {
    "convnet4": SmallNetwork("four plain blocks, 24 to 96 channels, pooled by maximum (0.14 M weights)", _convnet),
    "resnet10_narrow": SmallNetwork(
        "ResNet of four basic blocks, 24 to 192 channels (0.7 M weights)",
        partial(_resnet, BasicBlock, (1, 1, 1, 1), (24, 48, 96, 192)),
    ),
    "resnet18_narrow": SmallNetwork(
        "ResNet-18 with a quarter of the channels, 16 to 128 (0.7 M weights)",
        partial(_resnet, BasicBlock, (2, 2, 2, 2), (16, 32, 64, 128)),
    ),
    "resnet14_narrow": SmallNetwork(
        "ResNet of four bottleneck blocks, 64 to 384 channels (0.4 M weights)",
        partial(_resnet, Bottleneck, (1, 1, 1, 1), (16, 32, 64, 96)),
    ),
    "densenet_narrow": SmallNetwork(
        "DenseNet of 17 layers, growth 12 (0.15 M weights)", partial(_densenet, 12, (3, 4, 6, 4))
    ),
    "mobilenet_narrow": SmallNetwork("MobileNet-V2 of six blocks, 256 features (0.13 M weights)", _mobilenet),
}


def make_small_stem(network: nn.Module, name: str) -> None:
    """Change a timm network's stem in place so that its feature map is four times (ConvNeXt: two times) as wide.

    ResNet and DenseNet get a 3 × 3 convolution of stride 1 and no pooling; MobileNet-V2 and EfficientNet keep their
    weights and lose the strides of the stem and of the first strided block; ConvNeXt's patches are 2 × 2. New
    convolutions take fresh weights from PyTorch's global generator: call it inside ``seeded_initialisation``.
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
        convolutions = (layer for layer in body.blocks.modules() if isinstance(layer, nn.Conv2d))
        next(layer for layer in convolutions if max(layer.stride) > 1).stride = (1, 1)
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


def _three_by_three(old: nn.Conv2d) -> nn.Conv2d:
    new = nn.Conv2d(old.in_channels, old.out_channels, kernel_size=3, stride=1, padding=1, bias=old.bias is not None)
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new
