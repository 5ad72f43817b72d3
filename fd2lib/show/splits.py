"""Real images: of one class, of classes that look alike, and on average."""

import hashlib
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from fd2lib.data import ImageSplit, batches, display_name
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import image_grid, spread
from fd2lib.show.style import BookFigure


def of_class(split: ImageSplit, index: int, count: int) -> Tensor:
    """Return at most ``count`` images of class ``index``, bytes ``[n, 3, S, S]``, spread over the split."""
    return split.take(spread(torch.nonzero(split.labels == index)[:, 0], count)).cpu()


def lookalikes(split: ImageSplit, pairs: pd.DataFrame, classes: Sequence[str], count: int = 6) -> BookFigure | Html:
    """Return images of classes that are easily confused, pair after pair, one class a row.

    Args:
        split: where images are taken from.
        pairs: class indices in the columns ``first`` and ``second``.
        classes: class names.
        count: images of each class.
    """
    order = list(dict.fromkeys(index for pair in zip(pairs["first"], pairs["second"], strict=True) for index in pair))
    if not order:
        return sentences("No two classes were confused.")
    return image_grid([of_class(split, index, count) for index in order], [display_name(classes[i]) for i in order])


def mean_thumbnails(split: ImageSplit, num_classes: int, side: int = 16) -> Tensor:
    """Return the mean image of each class, ``[K, 3 · side²]`` in [0, 1], from thumbnails of ``side`` pixels."""
    sums, counts = torch.zeros(num_classes, 3 * side * side), torch.zeros(num_classes, 1)
    for images, labels, _ in batches(split, 256, "cpu"):
        small = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, side).flatten(1)
        sums.index_add_(0, labels, small)
        counts.index_add_(0, labels, torch.ones(len(labels), 1))
    return sums / counts.clamp_min(1)


def pixel_twins(first: ImageSplit, second: ImageSplit) -> int:
    """Return how many images of ``second`` are, pixel for pixel, also in ``first``."""

    def digests(split: ImageSplit) -> list[bytes]:
        return [
            hashlib.sha256(image.contiguous().numpy().tobytes()).digest()
            for images, _, _ in batches(split, 256, "cpu")
            for image in images
        ]

    seen = set(digests(first))
    return sum(digest in seen for digest in digests(second))
