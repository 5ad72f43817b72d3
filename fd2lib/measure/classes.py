"""Classes: images of one, which of them are alike, and how alike."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from fd2lib.data import Dataset, ImageSplit, batches, display_name
from fd2lib.measure.looks import look
from fd2lib.models import Teacher


def spread(indices: Any, count: int) -> list[int]:
    """Return at most ``count`` of ``indices``, evenly spread, so that a long list is shown from end to end."""
    values = [int(index) for index in indices]
    if len(values) <= count:
        return values
    places = torch.linspace(0, len(values) - 1, count).round().long().tolist()
    return [values[place] for place in places]


def of_class(split: ImageSplit, index: int, count: int) -> Tensor:
    """Return at most ``count`` images of class ``index``, bytes ``[n, 3, S, S]``, spread over the split."""
    return split.take(spread(torch.nonzero(split.labels == index)[:, 0], count)).cpu()


def class_means(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of the values ``[N, …]`` of each class ``[K, …]``; 0 for a class without images."""
    sums = torch.zeros(num_classes, *values.shape[1:]).index_add_(0, labels, values.float())
    counts = torch.bincount(labels, minlength=num_classes).clamp_min(1)
    return sums / counts.view(-1, *[1] * (values.ndim - 1))


def class_vectors(teacher: Teacher, split: ImageSplit, num_classes: int) -> Tensor:
    """Return what stands for each class in a teacher: its unit prototypes, or mean features.

    Args:
        teacher: any teacher.
        split: images whose features are averaged, for a teacher without prototypes.
        num_classes: K.
    """
    if teacher.prototypes is not None:
        return teacher.prototypes.unit().detach().cpu()
    places = spread(range(len(split)), 2000)  # enough for a mean, few enough for a laptop
    return class_means(look(teacher, split.take(places).cpu()).features, split.labels[places].cpu(), num_classes)


def cosine_matrix(vectors: Tensor, centred: bool = False) -> np.ndarray:
    """Return the cosine similarity of every two rows of ``[K, D]``, in [−1, 1]; a zero row is like nothing (0).

    Args:
        vectors: one row for each class.
        centred: take the mean row off first, which shows differences that a large common part hides.
    """
    rows = vectors.detach().float().cpu()
    rows = rows - rows.mean(0) if centred else rows
    rows = torch.nn.functional.normalize(rows, dim=1)
    return (rows @ rows.T).clamp(-1, 1).numpy()


def closest_pairs(matrix: np.ndarray, classes: Sequence[str], count: int = 3) -> pd.DataFrame:
    """Return the most similar pairs of classes, most similar first.

    Returns:
        Columns ``first, second`` (class indices), ``first_name, second_name`` and ``similarity``.
    """
    first, second = np.triu_indices(len(matrix), 1)
    best = np.argsort(-matrix[first, second], kind="stable")[:count]
    return with_names(first[best].tolist(), second[best].tolist(), classes).assign(
        similarity=matrix[first[best], second[best]]
    )


def with_names(first: Iterable[int], second: Iterable[int], classes: Sequence[str]) -> pd.DataFrame:
    """Return pairs of class indices as ``first, second`` and, for people, ``first_name, second_name``."""
    pairs = [(a, b, display_name(classes[a]), display_name(classes[b])) for a, b in zip(first, second, strict=True)]
    return pd.DataFrame(pairs, columns=["first", "second", "first_name", "second_name"])


def members(pairs: pd.DataFrame, count: int = 2) -> list[int]:
    """Return the classes of the first ``count`` pairs (columns ``first``, ``second``), pair after pair, each once."""
    chosen = pairs.head(count)
    return list(dict.fromkeys(index for pair in zip(chosen["first"], chosen["second"], strict=True) for index in pair))


def lookalike_order(matrix: np.ndarray) -> list[int]:
    """Return an order of the classes that puts similar ones beside each other (average-linkage leaves)."""
    if len(matrix) < 3:
        return list(range(len(matrix)))
    distance = np.clip(1 - (matrix + matrix.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True)).tolist()


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
    small = [
        torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, side).flatten(1)
        for images, _, _ in batches(split, 256, "cpu")
    ]
    return class_means(torch.cat(small), split.labels.cpu(), num_classes)


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


def pixel_changes(starts: Tensor, images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return, for each class, the mean absolute change from start to image as a share of the pixel range ``[K]``."""
    change = (images.float() - starts.float()).abs().flatten(1).mean(1) / 255
    return class_means(change, labels, num_classes)
