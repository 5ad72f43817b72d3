"""Real images: of one class, of classes that look alike, and on average."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from fd2lib.data import Dataset, ImageSplit, batches, display_name
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import image_grid, spread
from fd2lib.show.similarity import closest_pairs, cosine_matrix
from fd2lib.show.style import BookFigure


def of_class(split: ImageSplit, index: int, count: int) -> Tensor:
    """Return at most ``count`` images of class ``index``, bytes ``[n, 3, S, S]``, spread over the split."""
    return split.take(spread(torch.nonzero(split.labels == index)[:, 0], count)).cpu()


def class_rows(split: ImageSplit, indices: Sequence[int], classes: Sequence[str], count: int = 5) -> BookFigure | Html:
    """Return images of the classes ``indices``, one class a row, ``count`` images each; without classes a sentence."""
    order = list(dict.fromkeys(int(index) for index in indices))
    if not order:
        return sentences("There are no such classes.")
    return image_grid([of_class(split, index, count) for index in order], [display_name(classes[i]) for i in order])


def members(pairs: pd.DataFrame, count: int = 2) -> list[int]:
    """Return the classes of the first ``count`` pairs (columns ``first``, ``second``), pair after pair, each once."""
    chosen = pairs.head(count)
    return list(dict.fromkeys(index for pair in zip(chosen["first"], chosen["second"], strict=True) for index in pair))


def related_classes(data: Dataset, count: int = 4) -> list[int]:
    """Return classes that are probably easy to confuse, as found without any network.

    Those that share the most common word of the class names, such as Warbler; where no two names share a word, those
    of the most similar mean images.
    """
    words = [set(display_name(name).split()) for name in data.classes]
    shared = Counter(word for name in data.classes for word in dict.fromkeys(display_name(name).split()))
    word, number = shared.most_common(1)[0]
    if number > 1:
        return spread([index for index, own in enumerate(words) if word in own], count)
    alike = cosine_matrix(mean_thumbnails(data.train, data.num_classes), centred=True)
    return members(closest_pairs(alike, data.classes, count), count)[:count]


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
