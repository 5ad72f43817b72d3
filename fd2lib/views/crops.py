"""Crops by two batched matrix products, differentiable and deterministic: drawn at random, or led by attention."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError, widest_float

TRIES = 10  # of a crop that fits, before the centre is taken, as in torchvision


def _interpolation(start: Tensor, stop: Tensor, size: int, length: int, dtype: torch.dtype) -> Tensor:
    """Matrices that sample ``size`` points of [start, stop) from ``length`` pixels: [N, size, length]."""
    wide = widest_float(start.device)
    start, stop = start.to(wide)[:, None], stop.to(wide)[:, None]  # [N, 1]
    steps = torch.arange(size, device=start.device, dtype=wide)[None] + 0.5  # [1, size]
    local = steps * (stop - start) / size - 0.5
    # Inside the box, as if it had been cut out before resizing: its border pixels repeat, outer ones never mix in.
    local = torch.minimum(local.clamp_min(0), (stop - start - 1).clamp_min(0))
    position = (start + local).clamp(0, length - 1)
    lower = position.floor()
    upper_share = (position - lower).to(dtype)[..., None]  # [N, size, 1]
    pixels = torch.arange(length, device=start.device, dtype=wide)
    at_lower = (pixels == lower[..., None]).to(dtype)  # [N, size, length]
    at_upper = (pixels == lower[..., None] + 1).to(dtype)
    return at_lower * (1 - upper_share) + at_upper * upper_share


def crop_resize(images: Tensor, boxes: Tensor, size: int, flip: Tensor | None = None) -> Tensor:
    """Crop every image to its box and resize it bilinearly to ``size`` × ``size``, in one go.

    Equals slicing and ``F.interpolate(mode="bilinear", align_corners=False)`` for boxes of whole pixels.
    Gradients reach the images, not the boxes; on CUDA they are deterministic.

    Args:
        images: ``[B, C, H, W]``, float; the result is ``[B, C, size, size]``.
        boxes: ``(row0, col0, row1, col1)`` in pixels, upper bounds exclusive, ``[B, 4]``, or ``[1, 4]`` for one
            box that all images share.
        size: side of the result, pixels.
        flip: which images to mirror left to right after cropping, bool ``[B]`` or ``[1]``.

    Raises:
        ShapeError: images, boxes and flip do not fit each other.
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise ShapeError(f"images are {images.dtype} {tuple(images.shape)}; expected float [B, C, H, W].")
    batch, channels, height, width = images.shape
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.shape[0] not in (1, batch):
        raise ShapeError(f"boxes have shape {tuple(boxes.shape)}; expected [{batch}, 4] or [1, 4].")
    if flip is not None and flip.shape not in ((1,), (batch,)):
        raise ShapeError(f"flip has shape {tuple(flip.shape)}; expected [{batch}] or [1].")
    boxes = boxes.to(images.device)
    rows = _interpolation(boxes[:, 0], boxes[:, 2], size, height, images.dtype)  # [B|1, size, H]
    columns = _interpolation(boxes[:, 1], boxes[:, 3], size, width, images.dtype)  # [B|1, size, W]
    if flip is not None:
        columns = torch.where(flip.to(images.device)[:, None, None], columns.flip(1), columns)
    with torch.autocast(images.device.type, enabled=False):  # pixels keep their precision
        wide = images.reshape(batch, channels * height, width) @ columns.transpose(1, 2)  # [B, C·H, size]
        wide = wide.view(batch, channels, height, size).transpose(2, 3)  # [B, C, size (columns), H]
        done = wide.reshape(batch, channels * size, height) @ rows.transpose(1, 2)  # [B, C·size, size (rows)]
    return done.view(batch, channels, size, size).transpose(2, 3).contiguous()


def random_resized_crop_boxes(
    n: int, size: int, generator: torch.Generator, min_scale: float = 0.08, ratio: tuple[float, float] = (3 / 4, 4 / 3)
) -> Tensor:
    """Draw boxes as torchvision's ``RandomResizedCrop`` does, for ``n`` square images of ``size`` pixels at once.

    Args:
        n: number of boxes.
        size: side of the images, pixels.
        generator: on the CPU, as is the result.
        min_scale: smallest share of the image's area; the largest is 1.
        ratio: smallest and largest width / height.

    Returns:
        Whole pixels, ``[n, 4]`` float32: ``(row0, col0, row1, col1)``, upper bounds exclusive.
    """
    draws = torch.rand(n, TRIES, 4, generator=generator, dtype=torch.float64)
    area = size * size * (min_scale + (1 - min_scale) * draws[..., 0])
    low, high = math.log(ratio[0]), math.log(ratio[1])
    aspect = torch.exp(low + (high - low) * draws[..., 1])
    width, height = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()  # [n, tries]
    fits = (width >= 1) & (width <= size) & (height >= 1) & (height <= size)
    row = (draws[..., 2] * (size - height + 1)).floor()
    column = (draws[..., 3] * (size - width + 1)).floor()
    tried = torch.stack([row, column, row + height, column + width], dim=-1)  # [n, tries, 4]
    first = fits.to(torch.uint8).argmax(1)
    boxes = tried[torch.arange(n), first]
    return torch.where(fits.any(1)[:, None], boxes, _centre_box(size, ratio)).float()


def _centre_box(size: int, ratio: tuple[float, float]) -> Tensor:
    """The largest centred box whose shape lies within ``ratio``."""
    width = size if ratio[1] >= 1 else round(size * ratio[1])
    height = size if ratio[0] <= 1 else round(size / ratio[0])
    row, column = (size - height) // 2, (size - width) // 2
    return torch.tensor([row, column, row + height, column + width], dtype=torch.float64)


def _attended(images: Tensor, attention: Tensor, threshold: float | Tensor) -> Tensor:
    """Mask of pixels at or above the threshold, bool [B, H, W]."""
    if images.ndim != 4 or attention.ndim != 4 or attention.shape[:2] != (images.shape[0], 1):
        raise ShapeError(
            f"images {tuple(images.shape)} and attention {tuple(attention.shape)} do not fit; "
            "expected [B, C, S, S] and [B, 1, h, w]."
        )
    attention = attention.detach().float()
    share = torch.as_tensor(threshold, dtype=attention.dtype).to(attention.device)
    level = share * attention.amax(dim=(1, 2, 3))  # [B]
    large = F.interpolate(attention, size=images.shape[2:], mode="bilinear", align_corners=False)
    return (large >= level[:, None, None, None]).squeeze(1)


def _bounds(hit: Tensor, padding: float) -> tuple[Tensor, Tensor]:
    """First and last true position of each row of ``hit`` [B, S], moved outwards; the upper bound is exclusive."""
    size = hit.shape[1]
    first = hit.to(torch.uint8).argmax(1)
    last = size - 1 - hit.flip(1).to(torch.uint8).argmax(1)
    # Truncating (first − padding) and (last + padding) to whole pixels, written for whole positions.
    low = (first - math.ceil(padding - 1e-9)).clamp_min(0)
    high = (last + math.floor(padding + 1e-9)).clamp_max(size)
    return low, torch.maximum(high, low + 1)


def attention_boxes(images: Tensor, attention: Tensor, threshold: float | Tensor, padding: float = 0.1) -> Tensor:
    """Padded bounding boxes ``(row0, col0, row1, col1)`` of what maps attend to, as :func:`attention_crop` takes them.

    Whole pixels, upper bounds exclusive, float ``[B, 4]``.
    """
    mask = _attended(images, attention, threshold)
    top, bottom = _bounds(mask.any(2), padding * images.shape[2])
    left, right = _bounds(mask.any(1), padding * images.shape[3])
    return torch.stack([top, left, bottom, right], dim=1).float()


def attention_crop(images: Tensor, attention: Tensor, threshold: float | Tensor, padding: float = 0.1) -> Tensor:
    """Crop each image to the bounding box of its attended pixels and resize it back (authors' release).

    Args:
        images: ``[B, C, S, S]``, as is the result.
        attention: one map per image, ``[B, 1, h, w]``, not negative; upsampled bilinearly.
        threshold: share of each map's maximum, a number or ``[B]``; training draws it from [.4, .6).
        padding: added on each side, as a share of the image's side.

    Raises:
        ShapeError: images and maps do not fit.
    """
    return crop_resize(images, attention_boxes(images, attention, threshold, padding), images.shape[2])


def attention_drop(images: Tensor, attention: Tensor, threshold: float | Tensor) -> Tensor:
    """Set each image's attended pixels to zero, the mean colour where images are normalised (authors' release).

    Takes what :func:`attention_crop` takes; training draws the threshold from [.2, .5).

    Raises:
        ShapeError: images and maps do not fit.
    """
    return images * (~_attended(images, attention, threshold))[:, None].to(images.dtype)
