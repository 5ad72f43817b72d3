"""Views that attention guides: a crop of what is attended to, and the image with it dropped."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.views.crops import crop_resize


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
    """Padded bounding box of what each image's map attends to; see :func:`attention_crop`.

    Returns:
        ``(row0, col0, row1, col1)`` in whole pixels, upper bounds exclusive, float ``[B, 4]``.
    """
    mask = _attended(images, attention, threshold)
    top, bottom = _bounds(mask.any(2), padding * images.shape[2])
    left, right = _bounds(mask.any(1), padding * images.shape[3])
    return torch.stack([top, left, bottom, right], dim=1).float()


def attention_crop(images: Tensor, attention: Tensor, threshold: float | Tensor, padding: float = 0.1) -> Tensor:
    """Crop each image to the bounding box of its attended pixels and resize it back (authors' release).

    Args:
        images: ``[B, C, S, S]``.
        attention: one map per image, ``[B, 1, h, w]``, not negative; upsampled bilinearly.
        threshold: share of each map's maximum, a number or ``[B]``; training draws it from [.4, .6).
        padding: added on each side, as a share of the image's side.

    Returns:
        ``[B, C, S, S]``.

    Raises:
        ShapeError: images and maps do not fit.
    """
    return crop_resize(images, attention_boxes(images, attention, threshold, padding), images.shape[2])


def attention_drop(images: Tensor, attention: Tensor, threshold: float | Tensor) -> Tensor:
    """Set each image's attended pixels to zero (authors' release).

    Args:
        images: ``[B, C, S, S]``; zero is the mean colour where images are normalised.
        attention: one map per image, ``[B, 1, h, w]``; upsampled bilinearly.
        threshold: share of each map's maximum, a number or ``[B]``; training draws it from [.2, .5).

    Raises:
        ShapeError: images and maps do not fit.
    """
    return images * (~_attended(images, attention, threshold))[:, None].to(images.dtype)
