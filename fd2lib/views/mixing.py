"""Pictures made of several: CutMix and mosaics."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError

Box = tuple[int, int, int, int]


def cutmix(images: Tensor, index: Tensor, box: Box | Tensor) -> Tensor:
    """Replace one box of every image ``[B, C, H, W]`` by the same box of image ``index`` (``[B]``) of the batch.

    The whole batch shares the box ``(row0, col0, row1, col1)``: whole pixels, upper bounds exclusive.

    Raises:
        ShapeError: ``index`` does not fit, or the box leaves the image.
    """
    if index.shape != images.shape[:1]:
        raise ShapeError(f"index has shape {tuple(index.shape)}; expected [{images.shape[0]}], one per image.")
    row0, col0, row1, col1 = (int(bound) for bound in box)
    if not (0 <= row0 <= row1 <= images.shape[2] and 0 <= col0 <= col1 <= images.shape[3]):
        raise ShapeError(f"box {(row0, col0, row1, col1)} leaves images of {tuple(images.shape[2:])} pixels.")
    mixed = images.clone()
    mixed[:, :, row0:row1, col0:col1] = images[index.to(images.device), :, row0:row1, col0:col1]
    return mixed


def box_around(size: int, kept: float, row: int, column: int) -> Box:
    """CutMix's box around a pixel: a square of ``1 − kept`` of the area, clipped at the image's border."""
    half = int(size * math.sqrt(1 - kept)) // 2
    return max(row - half, 0), max(column - half, 0), min(row + half, size), min(column + half, size)


def cutmix_box(size: int, generator: torch.Generator) -> tuple[Box, float]:
    """Draw a CutMix box for square images of ``size`` pixels, its area from Beta(1, 1), that is uniformly.

    Returns:
        The box ``(row0, col0, row1, col1)`` and the share of the area that is kept, in [0, 1].
    """
    kept = float(torch.rand((), generator=generator, dtype=torch.float64))
    row, column = torch.randint(size, (2,), generator=generator).tolist()
    row0, col0, row1, col1 = box = box_around(size, kept, row, column)
    return box, 1 - (row1 - row0) * (col1 - col0) / size**2


def tile_mosaic(patches: Tensor, size: int) -> Tensor:
    """Tile g² patches into one picture, row by row; remainder pixels go to the first rows and columns (RDED).

    Patches ``[g², C, s, s]`` give one picture ``[1, C, size, size]``, ``[N, g², C, s, s]`` give N; they are resized to
    the nearest pixel where they do not fit, as in the authors' release.

    Raises:
        ShapeError: the number of patches is not a square.
    """
    grouped = patches[None] if patches.ndim == 4 else patches
    side = math.isqrt(grouped.shape[1]) if grouped.ndim == 5 else 0
    if side == 0 or side * side != grouped.shape[1]:
        raise ShapeError(f"patches have shape {tuple(patches.shape)}; expected [g², C, s, s] or [N, g², C, s, s].")
    lengths = [size // side + (position < size % side) for position in range(side)]
    rows = []
    for i, height in enumerate(lengths):
        row = [F.interpolate(grouped[:, i * side + j], (height, width)) for j, width in enumerate(lengths)]
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)
