"""The attention head of counterfactual attention learning (CAL), as FD² trains it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fd2lib.ground import SettingError, ShapeError, make_generator

FEATURE_SCALE = 100.0  # unit-length part features are this long before the classifier
EPSILON = 1e-6


class AttentionOutput(NamedTuple):
    """What an attention head gives for B images, K classes, M maps and C channels."""

    logits: Tensor  # [B, K]
    effect_logits: Tensor  # [B, K], logits minus those of counterfactual attention
    part_features: Tensor  # [B, M·C], map-major, unit length
    attention_maps: Tensor  # [B, M, h, w], not negative
    counterfactual_features: Tensor  # [B, M·C]
    mean_attention: Tensor  # [B, 1, h, w]


class AttentionHead(nn.Module):
    """Attention maps over a feature map, the part features they pool, and a classifier of those.

    Computes in float32 even under autocast: part features are compared at distances of a thousandth.
    """

    def __init__(self, in_channels: int, num_classes: int, num_maps: int) -> None:
        """Make a head.

        Args:
            in_channels: C of the feature map.
            num_classes: K.
            num_maps: M, attention maps.

        Raises:
            SettingError: one of them is below 1.
        """
        super().__init__()
        for name, value in (("in_channels", in_channels), ("num_classes", num_classes), ("num_maps", num_maps)):
            if value < 1:
                raise SettingError(f"{name} is {value}; expected at least 1.")
        self.num_classes, self.num_maps = num_classes, num_maps
        self.num_features = num_maps * in_channels  # M·C, length of the part features
        self.conv = nn.Conv2d(in_channels, num_maps, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(num_maps, eps=1e-3)
        self.classifier = nn.Linear(self.num_features, num_classes, bias=False)
        self._draws = 0  # counts forwards that had to draw without a generator

    def forward(
        self, features: Tensor, generator: torch.Generator | None = None, counterfactual_attention: Tensor | None = None
    ) -> AttentionOutput:
        """Attend to a feature map.

        Args:
            features: ``[B, C, h, w]``.
            generator: CPU generator of the counterfactual attention in training mode. Without one, a fixed
                sequence of the head's own is drawn from, never PyTorch's global generator.
            counterfactual_attention: ``[B, M, h, w]`` to use instead of uniform draws from [0, 2) (training
                mode) or ones (evaluation mode).

        Raises:
            ShapeError: the features' channels, or the counterfactual attention, do not fit.
        """
        if features.ndim != 4 or features.shape[1] != self.conv.in_channels:
            raise ShapeError(
                f"features have shape {tuple(features.shape)}; expected [B, {self.conv.in_channels}, h, w]. "
                "Make the head with in_channels equal to the backbone's num_features."
            )
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.conv.weight.dtype)
            # The 1 × 1 convolution as a product: several times faster on processors for so few output channels.
            maps = torch.einsum("mc,bchw->bmhw", self.conv.weight.flatten(1), features)
            maps = F.relu(self.norm(maps))  # [B, M, h, w]
            if counterfactual_attention is None:
                counterfactual_attention = self._counterfactual(maps, generator)
            elif counterfactual_attention.shape != maps.shape:
                raise ShapeError(
                    f"counterfactual_attention has shape {tuple(counterfactual_attention.shape)}; "
                    f"expected {tuple(maps.shape)}."
                )
            parts = pool_parts(features, maps)
            other_parts = pool_parts(features, counterfactual_attention)
            logits = self.classifier(FEATURE_SCALE * parts)
            effect = logits - self.classifier(FEATURE_SCALE * other_parts)
            return AttentionOutput(logits, effect, parts, maps, other_parts, maps.mean(1, keepdim=True))

    def _counterfactual(self, maps: Tensor, generator: torch.Generator | None) -> Tensor:
        if not self.training:
            return torch.ones_like(maps)
        if generator is None:
            generator = make_generator("counterfactual attention", self._draws)
            self._draws += 1
        return (2 * torch.rand(maps.shape, generator=generator)).to(maps)


def pool_parts(features: Tensor, attention_maps: Tensor) -> Tensor:
    """Bilinear attention pooling, signed square root and L2 normalisation (CAL; FD² paper).

    Args:
        features: ``[B, C, h, w]``.
        attention_maps: ``[B, M, h, w]``.

    Returns:
        Part features, ``[B, M·C]``, the C features of the first map first.
    """
    positions = features.shape[2] * features.shape[3]
    pooled = torch.einsum("bmhw,bchw->bmc", attention_maps, features) / positions  # [B, M, C]
    pooled = pooled.flatten(1)  # [B, M·C]
    return F.normalize(pooled.sign() * (pooled.abs() + EPSILON).sqrt(), dim=1)


def pick_maps(attention_maps: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw two maps of each image, likelier where the map attends more: one to crop with, one to drop with.

    A map's probability is proportional to ``sqrt(Σ A + 1e-6)``; both draws may give the same map (CAL).

    Args:
        attention_maps: ``[B, M, h, w]``, not negative.
        generator: CPU generator.

    Returns:
        Maps to crop and to drop with, each ``[B, 1, h, w]``, without gradient.
    """
    maps = attention_maps.detach()
    shares = (maps.double().sum(dim=(2, 3)) + EPSILON).sqrt().cumsum(1)  # [B, M]
    draws = torch.rand(maps.shape[0], 2, generator=generator, dtype=torch.float64).to(maps.device)
    index = torch.searchsorted(shares, draws * shares[:, -1:], right=True).clamp_max(maps.shape[1] - 1)  # [B, 2]
    wide = index[:, :, None, None].expand(-1, -1, *maps.shape[2:])
    crop_map, drop_map = maps.gather(1, wide).chunk(2, dim=1)
    return crop_map, drop_map
