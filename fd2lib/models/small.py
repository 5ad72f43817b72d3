"""Small networks of fd2lib's own, for images of 32 to 96 px on a processor: teachers and students in minutes.

Each is a narrow or shallow member of a family that the paper uses, or a plain stack of convolutions. All stay in
this table, so timm's own registry is left as it is. A stride of 2 in the first layer and none of the usual pooling
make the final feature map 4 × 4 at 64 px (8 × 8 for the plain stack); :func:`fd2lib.models.create_backbone` takes
stride 1 for 32 px and below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.models._efficientnet_builder import decode_arch_def
from timm.models.densenet import DenseNet
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn


class Network(nn.Module):
    """What fd2lib uses of a network: timm's have it, and fd2lib's own. Only type checkers look at this class."""

    num_features: int  # C, channels of the feature map
    forward_features: Callable[[Tensor], Tensor]  # images -> feature map
    forward_head: Callable[[Tensor], Tensor]  # feature map -> logits
    get_classifier: Callable[[], nn.Module]  # -> last layer


class ConvNet(Network):
    """The plain network of the distillation literature: blocks of convolution, BatchNorm, ReLU and pooling.

    The logits are pooled by maximum, so a mark of a few pixels anywhere in the image can decide a class.

    Args:
        num_classes: K.
        channels: of each block; every block but the last halves height and width.
    """

    def __init__(self, num_classes: int, channels: tuple[int, ...]) -> None:
        """Build the blocks."""
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


@dataclass(frozen=True)
class SmallNetwork:
    """One entry of the table."""

    description: str
    build: Callable[[int, int], Network]  # (number of classes, stride of the first layer) -> network


# In what follows timm's networks are Any: its types know one of the layers that each attribute may hold.
def _resnet(
    num_classes: int, stride: int, *, block: Any, layers: tuple[int, ...], channels: tuple[int, ...]
) -> Network:
    # timm fixes 64 channels after a plain stem but not after a deep one, whose convolutions are replaced by one.
    network: Any = ResNet(
        block, layers, num_classes=num_classes, channels=channels, stem_type="deep", stem_width=channels[0] // 2
    )
    network.conv1 = nn.Conv2d(3, channels[0], kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


def _densenet(num_classes: int, stride: int, *, growth: int, layers: tuple[int, ...]) -> Network:
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
        partial(_resnet, block=BasicBlock, layers=(1, 1, 1, 1), channels=(24, 48, 96, 192)),
    ),
    "resnet18_narrow": SmallNetwork(
        "ResNet-18 with a quarter of the channels, 16 to 128 (0.7 M weights)",
        partial(_resnet, block=BasicBlock, layers=(2, 2, 2, 2), channels=(16, 32, 64, 128)),
    ),
    "resnet14_narrow": SmallNetwork(
        "ResNet of four bottleneck blocks, 64 to 384 channels (0.4 M weights)",
        partial(_resnet, block=Bottleneck, layers=(1, 1, 1, 1), channels=(16, 32, 64, 96)),
    ),
    "densenet_narrow": SmallNetwork(
        "DenseNet of 17 layers, growth 12 (0.15 M weights)", partial(_densenet, growth=12, layers=(3, 4, 6, 4))
    ),
    "mobilenet_narrow": SmallNetwork("MobileNet-V2 of six blocks, 256 features (0.13 M weights)", _mobilenet),
}
