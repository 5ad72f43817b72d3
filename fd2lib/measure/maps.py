"""Where networks look: maps, what occlusion takes away, what a cell sees, and how much lies on given parts."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError
from fd2lib.measure.features import feature_map, outputs
from fd2lib.models import Teacher, class_activation_map
from fd2lib.stages import to_unit


def channel_mean_map(features: Tensor) -> Tensor:
    """Return the mean over channels of a feature map's positive part, ``[B, C, h, w]`` to ``[B, h, w]``."""
    return features.relu().mean(1)


def attention_maps(teacher: Teacher, images: Tensor, labels: Tensor, batch_size: int = 64) -> dict[str, Tensor]:
    """Return the maps of a teacher over bytes ``[N, 3, S, S]`` with true classes ``[N]``, by kind.

    ``class_activation`` and ``channel_mean`` of the backbone, defined alike for all teachers, and with a head
    ``head_attention``, the mean of its maps; each float32 ``[N, h, w]``, not negative, on the CPU.

    Raises:
        ShapeError: as :func:`class_activation_map`.
    """
    weights = teacher.backbone.classifier.get_parameter("weight").detach().flatten(1)  # 1 × 1 convolutions too
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
    """Return the share of each map that lies inside its mask, double ``[B]`` in [0, 1].

    Maps are ``[B, h, w]``, or one ``[1, h, w]`` for all masks, bool ``[B, S, S]``. An even map gives the mask's share
    of the area (chance).

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


def centre_prior(size: int) -> Tensor:
    """Return a Gaussian around the centre of ``size`` S pixels, cut at the image's edges, as a map ``[1, S, S]``."""
    place = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    along = torch.exp(-0.5 * (place / 0.25).square())  # standard deviation: a quarter of the side
    return (along[:, None] * along[None, :])[None]


def reachable_mass(masks: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Return the most that any map of ``map_size`` (h, w) can put on each mask ``[B, S, S]``: all in its best place.

    Coarse maps, enlarged, spill over small parts; this is the ceiling ``[B]`` that mass is to be read against.
    """
    high, wide = map_size
    single = density(torch.eye(high * wide).view(-1, high, wide), masks.shape[-1])  # [h·w, S, S]
    return (masks.flatten(1).double() @ single.flatten(1).T).amax(1)


class ReceptiveFields(NamedTuple):
    """Which pixels the cells of a feature map depend on."""

    offset: float  # from a cell's place in the image to the centre of what it sees, share of the side, mean over cells
    spread: float  # standard deviation of what a cell sees, as a share of that of the whole image, mean over cells


@torch.no_grad()
def occlusion_maps(
    teacher: Teacher, images: Tensor, labels: Tensor, grid: int = 8, patch: float = 0.25
) -> dict[str, Tensor]:
    """Return how much of the right answer's log-probability is lost when a square of the image is covered.

    Unlike a feature map, whose cells may see the whole image, this says which pixels an answer needs, and it is
    defined alike for every network (Zeiler & Fergus 2014). The cover has the mean colour that the network takes off.

    Args:
        teacher: any teacher.
        images: bytes ``[N, 3, S, S]``.
        labels: true classes, ``[N]``.
        grid: squares along each side, each around the centre of a cell of a ``grid × grid`` map.
        patch: side of a square, share of the image's side; cut at the image's edges.

    Returns:
        ``occlusion`` of the backbone's classifier, and with a head ``head_occlusion``; float32 ``[N, grid, grid]``,
        0 where covering helps.

    Raises:
        SettingError: a grid or patch out of range.
    """
    if grid < 1 or not 0 < patch <= 1:
        raise SettingError(f"grid is {grid} and patch {patch}; expected at least 1, and a share above 0 up to 1.")
    teacher.eval()
    size, index = images.shape[-1], torch.arange(len(images))
    whole = _log_probabilities(teacher, images, labels)
    maps = {kind: torch.zeros(len(images), grid, grid) for kind in whole}
    starts = (((torch.arange(grid) + 0.5) / grid - patch / 2) * size).round().int().tolist()
    side = max(1, round(patch * size))
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            area = (slice(max(0, top), top + side), slice(max(0, left), left + side))
            for kind, values in _log_probabilities(teacher, images, labels, area).items():
                maps[kind][index, row, column] = (whole[kind] - values).clamp_min(0)
    return maps


def _log_probabilities(
    teacher: Teacher, images: Tensor, labels: Tensor, area: tuple[slice, slice] | None = None
) -> dict[str, Tensor]:
    """Log-probability of the true class, ``[N]`` for each kind, with an area of every image covered."""
    found: dict[str, list[Tensor]] = {}
    for batch, own in zip(torch.split(images, 64), torch.split(labels, 64), strict=True):
        x = teacher.normalize(to_unit(batch.to(teacher.mean.device)))
        if area is not None:
            x[:, :, area[0], area[1]] = 0  # the mean colour, once normalised
        out = teacher(x)
        logits = {"occlusion": out.logits} | ({"head_occlusion": out.attention.logits} if out.attention else {})
        for kind, values in logits.items():
            chosen = values.float().log_softmax(1).cpu().gather(1, own.cpu()[:, None])[:, 0]
            found.setdefault(kind, []).append(chosen)
    return {kind: torch.cat(parts) for kind, parts in found.items()}


def receptive_fields(teacher: Teacher, images: Tensor) -> ReceptiveFields:
    """Return how well a cell of the last feature map stands for a place, from gradients on a few dozen images.

    What a cell sees is the size of its positive activation's gradient by pixel, summed over channels and images, bytes
    ``[N, 3, S, S]``. A spread of 1 means that it sees the whole image evenly: its map then says nothing about where.
    """
    teacher.eval()
    high, wide = teacher.backbone.feature_size
    size = images.shape[-1]
    along = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    x = teacher.normalize(to_unit(images.to(teacher.mean.device))).requires_grad_(True)
    cells = teacher.backbone(x).features.relu().mean(1).sum(0)  # [h, w]
    offsets, spreads = [], []
    for row in range(high):
        for column in range(wide):
            (gradient,) = torch.autograd.grad(cells[row, column], x, retain_graph=True)
            seen = gradient.abs().sum((0, 1)).double().cpu()
            seen = seen / seen.sum().clamp_min(1e-300)
            shares = torch.stack([seen.sum(1), seen.sum(0)])  # down, across: [2, S]
            centre = shares @ along
            place = torch.tensor([(row + 0.5) / high, (column + 0.5) / wide], dtype=torch.float64)
            offsets.append((centre - place).square().sum().sqrt())
            spreads.append(((along - centre[:, None]).square() * shares).sum(1).mean().sqrt())
    return ReceptiveFields(torch.stack(offsets).mean().item(), torch.stack(spreads).mean().item() * 12**0.5)


def maps_of_both(plain: Teacher, cal: Teacher, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return maps ``[N, h, w]`` of a plain and a CAL teacher under titles, to be laid over images ``[N, 3, S, S]``."""
    base, own = (attention_maps(one, images, labels) | occlusion_maps(one, images, labels) for one in (plain, cal))
    return {
        "plain: class activation": base["class_activation"],
        "CAL: class activation": own["class_activation"],
        "CAL: attention of the head": own["head_attention"],
        "plain: occlusion": base["occlusion"],
        "CAL: occlusion of the head": own["head_occlusion"],
    }
