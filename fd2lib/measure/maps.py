"""Where a network looks: maps that every teacher has, and how much of them lies on given parts of the image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError
from fd2lib.measure.features import classifier, feature_map, outputs
from fd2lib.models import Teacher

CENTRE_WIDTH = 0.25  # standard deviation of the centre prior, share of the image's side


def class_activation_map(features: Tensor, weights: Tensor, labels: Tensor) -> Tensor:
    """Return the class activation map (Zhou et al. 2016) of each image's own class, where it speaks for the class.

    Args:
        features: last feature map, ``[B, C, h, w]``.
        weights: of the linear classifier that follows it, ``[K, C]``.
        labels: true classes, ``[B]``.

    Returns:
        ``ReLU(Σ_c weights[y, c] · features[:, c])``, ``[B, h, w]``.

    Raises:
        ShapeError: the classifier does not read this feature map.
    """
    if weights.ndim != 2 or features.ndim != 4 or weights.shape[1] != features.shape[1]:
        raise ShapeError(
            f"classifier weights {tuple(weights.shape)} do not read features {tuple(features.shape)}; "
            "expected [K, C] and [B, C, h, w]: a linear classifier right after the last feature map."
        )
    return torch.einsum("bc,bchw->bhw", weights[labels], features).relu()


def channel_mean_map(features: Tensor) -> Tensor:
    """Return the mean over channels of a feature map's positive part, ``[B, C, h, w]`` to ``[B, h, w]``."""
    return features.relu().mean(1)


def attention_maps(teacher: Teacher, images: Tensor, labels: Tensor, batch_size: int = 64) -> dict[str, Tensor]:
    """Return the maps of a teacher over images, by kind, defined alike for teachers with and without head.

    Args:
        teacher: any teacher whose classifier is linear in the pooled feature map.
        images: bytes ``[N, 3, S, S]``.
        labels: true classes, ``[N]``.
        batch_size: images at once.

    Returns:
        ``class_activation`` and ``channel_mean`` of the backbone, and with a head ``head_attention``, the mean of its
        maps; each float32 ``[N, h, w]``, not negative, on the CPU.

    Raises:
        ShapeError: as :func:`class_activation_map`.
    """
    weights = classifier(teacher).get_parameter("weight").detach().flatten(1)  # 1 × 1 convolutions too
    found: dict[str, list[Tensor]] = {}
    for out, own in zip(outputs(teacher, images, batch_size), torch.split(labels, batch_size), strict=True):
        maps = {
            "class_activation": class_activation_map(feature_map(out), weights, own.to(weights.device)),
            "channel_mean": channel_mean_map(feature_map(out)),
        }
        if out.attention is not None:
            maps["head_attention"] = out.attention.mean_attention[:, 0]
        for kind, values in maps.items():
            found.setdefault(kind, []).append(values.float().cpu())
    return {kind: torch.cat(parts) for kind, parts in found.items()}


def density(maps: Tensor, size: int) -> Tensor:
    """Return maps ``[B, h, w]`` enlarged bilinearly to ``[B, S, S]``, each summing to 1, in double precision.

    A map that is 0 everywhere attends nowhere in particular: it is spread evenly.

    Raises:
        SettingError: a negative value.
    """
    if len(maps) and float(maps.min()) < 0:
        raise SettingError(f"an attention map holds {float(maps.min()):.3g}; expected no negative value. Use its ReLU.")
    large = F.interpolate(maps[:, None].double(), size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    total = large.sum((1, 2), keepdim=True)
    return torch.where(total > 0, large / total.clamp_min(1e-300), 1 / size**2)


def attention_mass(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each map that lies inside its mask.

    Args:
        maps: ``[B, h, w]``, or one map ``[1, h, w]`` for all masks; not negative.
        masks: bool ``[B, S, S]``.

    Returns:
        double ``[B]`` in [0, 1]; an even map gives the mask's share of the area (chance).

    Raises:
        ShapeError: maps and masks do not fit.
        SettingError: a negative value.
    """
    if maps.ndim != 3 or masks.ndim != 3 or len(maps) not in (1, len(masks)):
        raise ShapeError(
            f"maps {tuple(maps.shape)} and masks {tuple(masks.shape)} do not fit; expected [B, h, w] and [B, S, S]."
        )
    return (density(maps, masks.shape[-1]) * masks).sum((1, 2)).clamp(0, 1)


def average_map(maps: Tensor) -> Tensor:
    """Return the mean of maps ``[N, h, w]``, each first scaled to the sum 1, as ``[1, h, w]``.

    Its mass on an image's mask is what a network would reach that looks at the same places whatever the image.
    """
    total = maps.sum((1, 2), keepdim=True)
    even = 1 / (maps.shape[1] * maps.shape[2])
    return torch.where(total > 0, maps / total.clamp_min(1e-30), even).mean(0, keepdim=True)


def centre_prior(size: int, width: float = CENTRE_WIDTH) -> Tensor:
    """Return a Gaussian around the image's centre, cut at its edges, as a map ``[1, S, S]``.

    Args:
        size: S, pixels.
        width: standard deviation, share of the side.
    """
    place = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    along = torch.exp(-0.5 * (place / width).square())
    return (along[:, None] * along[None, :])[None]


def reachable_mass(masks: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Return the most that any map of ``map_size`` can put on each mask, ``[B]``: all in its best place.

    Coarse maps, enlarged, spill over small parts; this is the ceiling that mass is to be read against.

    Args:
        masks: bool ``[B, S, S]``.
        map_size: (h, w) of the maps.
    """
    high, wide = map_size
    single = density(torch.eye(high * wide).view(-1, high, wide), masks.shape[-1])  # [h·w, S, S]
    return (masks.flatten(1).double() @ single.flatten(1).T).amax(1)
