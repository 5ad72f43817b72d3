"""What a set of images is like: diverse within classes, distinct between them, near to training images."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.ground import ShapeError
from fd2lib.measure.classes import spread
from fd2lib.measure.features import embed, part_attention
from fd2lib.models import Teacher
from fd2lib.stages import DistilledImages

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

    Both are means over pairs of different images, so they do not depend on how many images a class has. Features are
    ``[N, D]``, or bytes of images of any shape, which count as shares of 255; of the labels ``[N]``, classes that occur
    count.

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
        labels: classes ``[N]``; the result, double ``[K]``, has those that occur, in ascending order.
        centre: a row, taken off first; without it a part common to all images hides the differences.

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
    """Return the nearest row of a pool ``[P, D]`` for each query ``[N, D]``.

    Both may be images of any shape; bytes count as shares of 255. ``leave_out`` ``[N]`` is for each query the place of
    a row that does not count, such as itself.

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


COPY_QUANTILE = 0.05  # an image nearer than this share of training images are to each other is a copy
_REAL = ("within", "between", "ratio", "similarity", "attention_similarity", "nearest")


class Neighbours(NamedTuple):
    """A few images of a set beside what they are near to."""

    pictures: Tensor  # bytes [n, 4, 3, S, S]: the image, its start, nearest training images by pixels and by features
    distances: Tensor  # root mean square differences of the image's pixels to the other three, [n, 3]
    labels: Tensor  # classes [n]


@dataclass(eq=False)
class Space:
    """What images are compared in, with the training images in it."""

    name: str  # pixels, imagenet or judge
    judge: str  # the network, for people
    dataset: Dataset  # whose training images are the reference
    network: Teacher | None = None  # gives the features; None compares pixels

    def features(self, images: Tensor) -> Tensor:
        """Return what bytes ``[N, 3, S, S]`` are in this space, N first."""
        return images if self.network is None else embed(self.network, images)

    def attention(self, images: Tensor) -> Tensor | None:
        """Return the judge's attention maps as vectors, ``None`` where it has none."""
        if self.network is None or self.network.head is None:
            return None
        return part_attention(self.network, images)

    @functools.cached_property
    def real(self) -> Tensor:
        """The training images in this space."""
        return self.features(self._training)

    @functools.cached_property
    def centre(self) -> Tensor:
        """The mean training image."""
        mean = self.real.double().mean(0)
        return mean / 255 if self.real.dtype == torch.uint8 else mean  # bytes count as shares of 255

    @functools.cached_property
    def real_attention(self) -> Tensor | None:
        """The judge's attention maps over the training images."""
        return self.attention(self._training)

    @functools.cached_property
    def real_nearest(self) -> Nearest:
        """Each training image's nearest other one."""
        return nearest_images(self.real, self.real, leave_out=torch.arange(len(self.real)))

    @functools.cached_property
    def reference(self) -> dict[str, float | None]:
        """The numbers of the training images, as ``real_…``."""
        found = self.describe(self.real, self.real_attention, self.dataset.train.labels.cpu())
        found["nearest"] = self.real_nearest.distance.mean().item()
        return {f"real_{name}": found[name] for name in _REAL}

    @property
    def _training(self) -> Tensor:
        split = self.dataset.train
        return split.take(range(len(split))).cpu()

    def describe(self, features: Tensor, attention: Tensor | None, labels: Tensor) -> dict[str, float | None]:
        """Return diversity and distinctness of a set that is already in this space; ``None`` without attention."""
        spread = spread_and_separation(features, labels)
        attended = None
        if attention is not None and self.real_attention is not None:
            attended = pairwise_similarity(attention, labels, self.real_attention.mean(0)).mean().item()
        return {
            "within": spread.within,
            "between": spread.between,
            "ratio": spread.ratio,
            "similarity": pairwise_similarity(features, labels, self.centre).mean().item(),
            "attention_similarity": attended,
        }

    def measure(self, images: Tensor, starts: Tensor, labels: Tensor) -> dict[str, float | None]:
        """Return the measured columns for bytes ``[N, 3, S, S]``, their starts and labels ``[N]``."""
        features = self.features(images)
        nearest = nearest_images(features, self.real).distance
        return {
            **self.describe(features, self.attention(images), labels),
            "nearest": nearest.mean().item(),
            "own_start": rms_distance(features, self.features(starts)).mean().item(),
            "copies": 100 * (nearest < self.real_nearest.distance.quantile(COPY_QUANTILE)).double().mean().item(),
            **self.reference,
        }

    def neighbours(self, made: DistilledImages, limit: int = 4) -> Neighbours:
        """Return images beside their starts and the nearest training images, by pixels and in this space.

        At most ``limit`` images of the set: the first of as many classes, spread over all.
        """
        labels = made.labels
        shown = [int(torch.nonzero(labels == label)[0, 0]) for label in spread(sorted(set(labels.tolist())), limit)]
        picked, pool = made.images[shown], self._training
        by_pixels = nearest_images(picked, pool).place
        by_features = nearest_images(self.features(picked), self.real).place
        others = [made.starts[shown], pool[by_pixels], pool[by_features]]
        distances = torch.stack([rms_distance(picked, other) for other in others], 1)
        return Neighbours(torch.stack([picked, *others], 1), distances, labels[shown])
