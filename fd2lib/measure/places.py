"""Where answers come from: what occlusion takes away, and which pixels a cell of the last feature map sees."""

from typing import NamedTuple

import torch
from torch import Tensor

from fd2lib.ground import SettingError
from fd2lib.models import Teacher
from fd2lib.stages import to_unit

GRID = 8  # occluded places along each side
PATCH = 0.25  # side of the occluded square, share of the image's side


class ReceptiveFields(NamedTuple):
    """Which pixels the cells of a feature map depend on."""

    offset: float  # from a cell's place in the image to the centre of what it sees, share of the side, mean over cells
    spread: float  # standard deviation of what a cell sees, as a share of that of the whole image, mean over cells


@torch.no_grad()
def occlusion_maps(
    teacher: Teacher, images: Tensor, labels: Tensor, grid: int = GRID, patch: float = PATCH
) -> dict[str, Tensor]:
    """Return how much of the right answer's log-probability is lost when a square of the image is covered.

    Unlike a feature map, whose cells may see the whole image, this says which pixels an answer needs, and it is
    defined alike for every network (Zeiler & Fergus 2014). The cover has the mean colour
    that the network takes off.

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
    places = ((torch.arange(grid) + 0.5) / grid - patch / 2) * size
    starts = places.round().int().tolist()
    side = max(1, round(patch * size))
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            area = (slice(max(0, top), top + side), slice(max(0, left), left + side))
            covered = _log_probabilities(teacher, images, labels, area)
            for kind, values in covered.items():
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
        logits = {"occlusion": out.logits}
        if out.attention is not None:
            logits["head_occlusion"] = out.attention.logits
        for kind, values in logits.items():
            chosen = values.float().log_softmax(1).cpu().gather(1, own.cpu()[:, None])[:, 0]
            found.setdefault(kind, []).append(chosen)
    return {kind: torch.cat(parts) for kind, parts in found.items()}


def receptive_fields(teacher: Teacher, images: Tensor) -> ReceptiveFields:
    """Return how well a cell of the last feature map stands for a place, from gradients on images.

    What a cell sees is the size of its positive activation's gradient by pixel, summed over channels and images. A
    spread of 1 means that each cell sees the whole image evenly: its map then says nothing about where.

    Args:
        teacher: any teacher.
        images: bytes ``[N, 3, S, S]``; a few dozen are enough.
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
