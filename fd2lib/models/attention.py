"""What FD² adds to a backbone: the head of counterfactual attention learning (CAL), and prototypes of its features."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fd2lib.ground import SettingError, ShapeError, make_generator, unknown, widest_float

FEATURE_SCALE = 100.0  # unit-length part features count as this long for the classifier
EPSILON = 1e-6
RULES = ("ema", "release")  # of prototypes


class AttentionOutput(NamedTuple):
    """What an attention head gives for B images, K classes, M maps and C channels."""

    logits: Tensor  # [B, K]
    effect_logits: Tensor | None  # [B, K], logits minus those of counterfactual attention; None where not asked for
    part_features: Tensor  # [B, M·C], map-major, unit length
    attention_maps: Tensor  # [B, M, h, w], not negative
    counterfactual_features: Tensor | None  # [B, M·C], likewise
    mean_attention: Tensor  # [B, 1, h, w]


class AttentionHead(nn.Module):
    """Attention maps over a feature map, the part features they pool, and a classifier of those.

    Computes in float32 even under autocast: part features are compared at distances of a thousandth.

    Args:
        in_channels: C of the feature map.
        num_classes: K.
        num_maps: M, attention maps.

    Raises:
        SettingError: one of them is below 1.
    """

    def __init__(self, in_channels: int, num_classes: int, num_maps: int) -> None:
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
        self,
        features: Tensor,
        generator: torch.Generator | None = None,
        counterfactual_attention: Tensor | None = None,
        *,
        effect: bool = True,
    ) -> AttentionOutput:
        """Attend to a feature map.

        Args:
            features: ``[B, C, h, w]``.
            generator: CPU generator of the counterfactual attention in training mode. Without one, a fixed
                sequence of the head's own is drawn from, never PyTorch's global generator.
            counterfactual_attention: ``[B, M, h, w]`` to use instead of uniform draws from [0, 2) (training
                mode) or ones (evaluation mode).
            effect: ``False`` leaves the counterfactual out, half of the head's work, where only the logits, part
                features or maps are used.

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
            parts = pool_parts(features, maps)
            logits = FEATURE_SCALE * self.classifier(parts)
            effect_logits = other_parts = None
            if effect:
                other = counterfactual_attention
                other = self._counterfactual(maps, generator) if other is None else other
                if other.shape != maps.shape:
                    seen, expected = tuple(other.shape), tuple(maps.shape)
                    raise ShapeError(f"counterfactual_attention has shape {seen}; expected {expected}.")
                other_parts = pool_parts(features, other)
                effect_logits = logits - FEATURE_SCALE * self.classifier(other_parts)
            return AttentionOutput(logits, effect_logits, parts, maps, other_parts, maps.mean(1, keepdim=True))

    def _counterfactual(self, maps: Tensor, generator: torch.Generator | None) -> Tensor:
        if not self.training:
            return torch.ones_like(maps)
        if generator is None:
            generator = make_generator("counterfactual attention", self._draws)
            self._draws += 1
        return (2 * torch.rand(maps.shape, generator=generator)).to(maps)


def pool_parts(features: Tensor, attention_maps: Tensor) -> Tensor:
    """Bilinear attention pooling, signed square root and L2 normalisation (CAL; FD² paper).

    Features ``[B, C, h, w]`` and maps ``[B, M, h, w]`` give ``[B, M·C]``, the C features of the first map first.
    """
    positions = features.shape[2] * features.shape[3]
    pooled = torch.einsum("bmhw,bchw->bmc", attention_maps, features).flatten(1) / positions  # [B, M·C]
    return F.normalize(pooled.sign() * (pooled.abs() + EPSILON).sqrt(), dim=1)


def pick_maps(attention_maps: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Draw two maps of each image, likelier where the map attends more: one to crop with, one to drop with.

    Of maps ``[B, M, h, w]``, not negative, one's probability is proportional to ``sqrt(Σ A + 1e-6)``. The two uniform
    ``draws`` of an image, ``[B, 2]``, may pick the same map (CAL). Each is ``[B, 1, h, w]``, without gradient.
    """
    maps = attention_maps.detach()
    shares = (maps.to(widest_float(maps.device)).sum(dim=(2, 3)) + EPSILON).sqrt().cumsum(1)  # [B, M]
    index = torch.searchsorted(shares, draws * shares[:, -1:], right=True).clamp_max(maps.shape[1] - 1)  # [B, 2]
    wide = index[:, :, None, None].expand(-1, -1, *maps.shape[2:])
    crop_map, drop_map = maps.gather(1, wide).chunk(2, dim=1)
    return crop_map, drop_map


class ClassPrototypes(nn.Module):
    """One running vector per class, updated by the images of a batch; zero until its class is first seen.

    Rules, with ``f`` the mean over the batch's images of the class and ``ĉ = c/‖c‖``:

    - ``ema`` (FD² paper): ``c ← (1 − momentum)·c + momentum·f/‖f‖``.
    - ``release`` (authors' code): ``c ← c + momentum·(f − ĉ)``. From zero and for unit features this stays at
      momentum × the last feature seen. Where a class has several images in a batch the release's result is
      whichever was written last; here they take one step together, by their mean.

    Args:
        num_classes: K.
        dim: length of the part features, M·C.
        rule: ``ema`` or ``release``.
        momentum: step of an update, in [0, 1].

    Raises:
        SettingError: an unknown rule, or a momentum outside [0, 1].
    """

    prototypes: Tensor  # [K, dim]

    def __init__(self, num_classes: int, dim: int, rule: str = "ema", momentum: float = 0.05) -> None:
        super().__init__()
        if rule not in RULES:
            raise SettingError(unknown("prototype_rule", rule, RULES))
        if not 0 <= momentum <= 1:
            raise SettingError(f"prototype momentum is {momentum}; expected between 0 and 1.")
        self.rule, self.momentum = rule, momentum
        self.register_buffer("prototypes", torch.zeros(num_classes, dim))

    @torch.no_grad()
    def update(self, part_features: Tensor, labels: Tensor) -> None:
        """Move the prototypes of the classes in a batch, features ``[B, dim]`` and labels ``[B]``; all others stay.

        Raises:
            ShapeError: the tensors do not fit.
        """
        num_classes, dim = self.prototypes.shape
        if part_features.ndim != 2 or part_features.shape[1] != dim or labels.shape != part_features.shape[:1]:
            raise ShapeError(
                f"part_features {tuple(part_features.shape)} and labels {tuple(labels.shape)} do not fit; "
                f"expected [B, {dim}] and [B]."
            )
        with torch.autocast(part_features.device.type, enabled=False):
            # A product with the membership matrix adds up in a fixed order; index_add on CUDA does not.
            member = F.one_hot(labels, num_classes).to(self.prototypes.dtype).T  # [K, B]
            count = member.sum(1, keepdim=True)  # [K, 1]
            mean = member @ part_features.to(self.prototypes.dtype) / count.clamp_min(1)
            step = F.normalize(mean, dim=1) - self.prototypes if self.rule == "ema" else mean - self.unit()
            self.prototypes.add_(step * (count > 0), alpha=self.momentum)

    def unit(self) -> Tensor:
        """Return the prototypes scaled to length 1, ``[K, dim]``; a zero prototype stays zero."""
        length = torch.linalg.vector_norm(self.prototypes, dim=1, keepdim=True)
        return self.prototypes / torch.where(length > 0, length, torch.ones_like(length))


def class_activation_map(features: Tensor, weights: Tensor, labels: Tensor) -> Tensor:
    """Return the class activation map (Zhou et al. 2016) of each image's own class, where it speaks for the class.

    Of the last feature map ``[B, C, h, w]``, the weights ``[K, C]`` of the linear classifier that reads it, and labels
    ``y`` ``[B]``: ``ReLU(Σ_c weights[y, c] · features[:, c])``, ``[B, h, w]``.

    Raises:
        ShapeError: the classifier does not read this feature map.
    """
    if weights.ndim != 2 or features.ndim != 4 or weights.shape[1] != features.shape[1]:
        raise ShapeError(
            f"classifier weights {tuple(weights.shape)} do not read features {tuple(features.shape)}; "
            "expected [K, C] and [B, C, h, w]: a linear classifier right after the last feature map."
        )
    return torch.einsum("bc,bchw->bhw", weights[labels], features).relu()
