"""Training views of real images: flip, colour jitter and rotation, each with its own draw per image."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError

GREY = (0.299, 0.587, 0.114)  # luma weights of ITU-R BT.601, as image libraries use for greyscale


@functools.lru_cache(maxsize=64)
def per_channel(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return one value per channel, ``[C, 1, 1]``, made once for each device: sending it makes the host wait."""
    return torch.tensor(values, device=device, dtype=dtype)[:, None, None]


def training_views(images01: Tensor, draws: Tensor, jitter: float, rotation: float) -> Tensor:
    """Return one random view of every image ``[B, 3, S, S]`` in [0, 1]: flip (½), colour jitter, rotation.

    Args:
        images01: not changed.
        draws: uniform in [0, 1), ``[6, B]``, on the images' device; all are needed whatever the settings, so that
            turning one view off leaves the others as they were.
        jitter: brightness, contrast and saturation are scaled by 1 ± this, hue turned by ± half of it (turns).
        rotation: degrees about the centre, ±; corners that come from outside are black.

    Raises:
        ShapeError: the images are not ``[B, 3, S, S]``, or the draws do not fit.
    """
    if images01.ndim != 4 or images01.shape[1] != 3 or draws.shape != (6, len(images01)):
        seen = f"images have shape {tuple(images01.shape)} and draws {tuple(draws.shape)}"
        raise ShapeError(f"{seen}; expected [B, 3, S, S] and [6, B].")
    draws = draws.to(images01.dtype)[:, :, None, None, None]  # [6, B, 1, 1, 1]
    images = torch.where(draws[0] < 0.5, images01.flip(3), images01)
    signed = 2 * draws[1:] - 1  # in [-1, 1)
    if jitter > 0:
        images = colour_jitter(images, *(1 + jitter * signed[:3]), hue=signed[3] * jitter / 2)
    if rotation > 0:
        images = rotate(images, (signed[4] * rotation).flatten())
    return images


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (other + factor * (images - other)).clamp(0, 1)


def _greyscale(images: Tensor) -> Tensor:
    return (images * per_channel(GREY, images.device, images.dtype)).sum(1, keepdim=True)


def colour_jitter(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, *, hue: Tensor) -> Tensor:
    """Scale brightness, contrast and saturation and turn the hue, in this order, of images ``[B, 3, S, S]`` in [0, 1].

    Factors are ``[B, 1, 1, 1]``, of which 1 changes nothing: contrast is about an image's mean grey, saturation about
    each pixel's grey. The hue is in turns, from -½ to ½.
    """
    images = _blend(images, torch.zeros_like(images), brightness)
    images = _blend(images, _greyscale(images).mean(dim=(2, 3), keepdim=True), contrast)
    images = _blend(images, _greyscale(images), saturation)
    return shift_hue(images, hue)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of images ``[B, 3, S, S]`` in [0, 1] by ``turns [B, 1, 1, 1]``, keeping HSV saturation and value."""
    value, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - low
    red, green, blue = images.chunk(3, dim=1)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sextant = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    sextant = sextant + 6 * turns
    # Each channel falls from the value by the chroma where the hue lies in the opposite half of the circle.
    distance = (per_channel((5.0, 3.0, 1.0), images.device, images.dtype) + sextant) % 6
    return value - chroma * torch.minimum(distance, 4 - distance).clamp(0, 1)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate images ``[B, C, S, S]`` counter-clockwise by ``degrees [B]``, bilinearly, black outside."""
    angle = degrees * (math.pi / 180)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)], 1)  # [B, 2, 3]
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
