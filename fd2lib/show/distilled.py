"""Distilled images beside what they started from and beside those of another method."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fd2lib.data import display_name
from fd2lib.show.attention import look, overlay
from fd2lib.show.images import image_grid, spread, strip, to_pixels
from fd2lib.show.style import BookFigure


def side_by_side(sets: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], limit: int = 6) -> BookFigure:
    """Return the first image of each class in every set: one class a row, one set a column.

    Args:
        sets: column title to images, bytes ``[N, 3, S, S]``, all in the order of ``labels``.
        labels: classes ``[N]``.
        classes: class names.
        limit: at most this many classes, spread over all.
    """
    shown = spread(range(len(classes)), limit)
    first = [int(torch.nonzero(labels == index)[0, 0]) for index in shown]
    rows = [torch.stack([images[place] for images in sets.values()]) for place in first]
    return image_grid(rows, [display_name(classes[index]) for index in shown], list(sets))


def class_frames(
    sets: Mapping[str, Tensor], labels: Tensor, indices: Sequence[int], teacher: torch.nn.Module | None = None
) -> list[np.ndarray]:
    """Return one picture for each class of ``indices``: all its images, one set a row.

    Args:
        sets: title to images, as for :func:`side_by_side`.
        labels: classes ``[N]``.
        indices: classes to make pictures of.
        teacher: if given, a last row shows its attention over the last set's images.
    """
    frames = []
    for index in indices:
        places = torch.nonzero(labels == index)[:, 0]
        pictures = [picture for images in sets.values() for picture in to_pixels(images[places])]
        if teacher is not None:
            last = list(sets.values())[-1][places]
            seen = look(teacher, last)
            pictures += [overlay(pixel, seen.attention[i].numpy()) for i, pixel in enumerate(to_pixels(last))]
        frames.append(strip(pictures, columns=len(places)))
    return frames


def pixel_changes(starts: Tensor, images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return, for each class, the mean absolute change from start to image as a share of the pixel range ``[K]``."""
    change = (images.float() - starts.float()).abs().flatten(1).mean(1) / 255
    sums = torch.zeros(num_classes).index_add_(0, labels, change)
    return sums / torch.bincount(labels, minlength=num_classes).clamp_min(1)
