"""What images are compared in, pixels or a network's features, with the training images that a set is read against."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.measure.classes import spread
from fd2lib.measure.features import embed, part_attention
from fd2lib.measure.sets import Nearest, nearest_images, pairwise_similarity, rms_distance, spread_and_separation
from fd2lib.models import Teacher
from fd2lib.stages import DistilledImages

COPY_QUANTILE = 0.05
_REAL = ("within", "between", "ratio", "similarity", "attention_similarity", "nearest")


class Neighbours(NamedTuple):
    """A few images of a set beside what they are near to."""

    pictures: Tensor  # bytes [n, 4, 3, S, S]: the image, its start, nearest training images by pixels and by features
    distances: Tensor  # root mean square differences of the image's pixels to the other three, [n, 3]
    labels: Tensor  # classes [n]


@dataclass(eq=False)
class Space:
    """What images are compared in, with the training images in it.

    Attributes:
        name: pixels, imagenet or judge.
        judge: the network, for people.
        dataset: whose training images are the reference.
        network: gives the features; ``None`` compares pixels.
    """

    name: str
    judge: str
    dataset: Dataset
    network: Teacher | None = None

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

        Args:
            made: the set.
            limit: at most this many images, the first of as many classes, spread over all.
        """
        labels = made.labels
        shown = [int(torch.nonzero(labels == label)[0, 0]) for label in spread(sorted(set(labels.tolist())), limit)]
        picked, pool = made.images[shown], self._training
        by_pixels = nearest_images(picked, pool).place
        by_features = nearest_images(self.features(picked), self.real).place
        others = [made.starts[shown], pool[by_pixels], pool[by_features]]
        distances = torch.stack([rms_distance(picked, other) for other in others], 1)
        return Neighbours(torch.stack([picked, *others], 1), distances, labels[shown])
