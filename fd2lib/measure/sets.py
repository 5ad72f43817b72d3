"""What a labelled set of images is like: how diverse within classes, how distinct between them, how near to others."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError

_CHUNK = 256  # images of a pool compared at once


class Spread(NamedTuple):
    """Root mean square differences between the features of two images of a set, over pairs and entries."""

    within: float  # between two images of one class, mean over classes
    between: float  # between two images of different classes, mean over pairs of classes

    @property
    def ratio(self) -> float:
        """Between-class distance over within-class distance: 1 where classes do not differ."""
        return self.between / self.within if self.within > 0 else float("inf")


class Nearest(NamedTuple):
    """The nearest image of a pool for each of N images."""

    distance: Tensor  # root mean square difference of the entries, [N]
    place: Tensor  # in the pool, [N]


def spread_and_separation(features: Tensor, labels: Tensor) -> Spread:
    """Return how far apart images of one class and images of different classes lie.

    Both are means over pairs of different images, so they do not depend on how many images a class has.

    Args:
        features: ``[N, D]``, or bytes of images of any shape, which count as shares of 255.
        labels: classes ``[N]``; those that occur count, each with at least two images.

    Raises:
        ShapeError: fewer than two classes, or a class with one image.
    """
    members, counts = _by_class(features.flatten(1), labels)
    if len(counts) < 2:
        raise ShapeError(f"labels name {len(counts)} class; expected at least two to tell apart.")
    rows = unit_rows(features)
    means = members @ rows / counts[:, None]  # [K, D]
    # Mean squared distance to the class's mean; twice n/(n − 1) of it is the mean over pairs of different images.
    scatter = (members @ rows.square().sum(1)) / counts - means.square().sum(1)
    scatter = scatter.clamp_min(0)  # [K]
    within = (2 * counts / (counts - 1) * scatter).mean() / rows.shape[1]
    number = len(counts)
    centres = 2 * number / (number - 1) * (means - means.mean(0)).square().sum(1).mean()  # mean over pairs of means
    between = (centres + 2 * scatter.mean()) / rows.shape[1]
    return Spread(within.sqrt().item(), between.sqrt().item())


def pairwise_similarity(vectors: Tensor, labels: Tensor, centre: Tensor | None = None) -> Tensor:
    """Return the mean cosine similarity of the pairs of different images of each class, in [−1, 1].

    Args:
        vectors: ``[N, D]``, or bytes as above; a row of zeros is like nothing (0).
        labels: classes ``[N]``, each that occurs with at least two images.
        centre: a row, taken off first; without it a part common to all images hides the differences.

    Returns:
        double ``[K]``, the occurring classes in ascending order.

    Raises:
        ShapeError: a class with one image.
    """
    members, counts = _by_class(vectors.flatten(1), labels)
    rows = unit_rows(vectors)
    rows = rows if centre is None else rows - unit_rows(centre[None])
    rows = F.normalize(rows, dim=1)
    # The square of a sum of unit vectors holds every pair twice, and each vector's own square.
    sums = (members @ rows).square().sum(1) - members @ rows.square().sum(1)
    return (sums / (counts * (counts - 1))).clamp(-1, 1)


def _by_class(rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Membership ``[K, N]`` of the occurring classes and their sizes ``[K]``, in double precision."""
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise ShapeError(f"got rows {tuple(rows.shape)} and labels {tuple(labels.shape)}; expected [N, D] and [N].")
    _, place = torch.unique(labels, return_inverse=True)
    members = F.one_hot(place).T.double()
    counts = members.sum(1)
    if len(counts) == 0 or counts.min() < 2:
        raise ShapeError("a class has fewer than two images; expected at least two of each, so that there are pairs.")
    return members, counts


def nearest_images(queries: Tensor, pool: Tensor, leave_out: Tensor | None = None) -> Nearest:
    """Return the nearest row of a pool for each query.

    Args:
        queries: ``[N, D]``, or images of any shape with N first; bytes count as shares of 255.
        pool: ``[P, D]`` likewise.
        leave_out: for each query the index of a row that does not count, such as itself, ``[N]``.

    Raises:
        ShapeError: rows of different length, or nothing to compare with.
    """
    queries, pool = queries.flatten(1), pool.flatten(1)
    if queries.shape[1] != pool.shape[1] or len(pool) < (1 if leave_out is None else 2):
        raise ShapeError(f"cannot compare {tuple(queries.shape)} with {tuple(pool.shape)}; expected [N, D] and [P, D].")
    rows = unit_rows(queries)
    best = torch.full((len(rows),), float("inf"), dtype=torch.float64)
    index = torch.zeros(len(rows), dtype=torch.int64)
    for first in range(0, len(pool), _CHUNK):
        others = unit_rows(pool[first : first + _CHUNK])
        squared = rows.square().sum(1)[:, None] - 2 * rows @ others.T + others.square().sum(1)  # [N, chunk]
        if leave_out is not None:
            squared[leave_out[:, None] == torch.arange(first, first + len(others))] = float("inf")
        nearest, place = squared.min(1)
        closer = nearest < best
        best, index = torch.where(closer, nearest, best), torch.where(closer, place + first, index)
    # Once more for the chosen rows alone: the sum above rounds, and a copy is at exactly 0.
    return Nearest(rms_distance(queries, pool[index]), index)


def rms_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the root mean square difference of each row of ``a`` and ``b``, ``[N, …]`` to double ``[N]``."""
    return (unit_rows(a) - unit_rows(b)).square().mean(1).sqrt()


def unit_rows(images: Tensor) -> Tensor:
    """Return rows ``[N, D]`` in double precision, bytes as shares of 255."""
    rows = images.flatten(1).double()
    return rows / 255 if images.dtype == torch.uint8 else rows
