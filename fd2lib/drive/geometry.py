"""The command ``geometry``: how diverse, how distinct and how new distilled images are, seed by seed."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.drive.experiment import Experiment
from fd2lib.drive.setting import provenance_of, setting_of
from fd2lib.measure import (
    Nearest,
    embed,
    imagenet_network,
    nearest_images,
    pairwise_similarity,
    part_attention,
    rms_distance,
    spread_and_separation,
)
from fd2lib.models import Teacher
from fd2lib.record import read_manifest

JUDGE_METHOD = "sre2lpp_fd2"  # its teacher has an attention head
COPY_QUANTILE = 0.05
_REAL = ("within", "between", "ratio", "similarity", "attention_similarity", "nearest")


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
        has_head = self.network is not None and self.network.head is not None
        return part_attention(self.network, images) if has_head else None

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
    def reference(self) -> dict[str, Any]:
        """The numbers of the training images, as ``real_…`` columns."""
        found = self.describe(self.real, self.real_attention, self.dataset.train.labels.cpu())
        found["nearest"] = self.real_nearest.distance.mean().item()
        return {f"real_{name}": found[name] for name in _REAL}

    @property
    def _training(self) -> Tensor:
        split = self.dataset.train
        return split.take(range(len(split))).cpu()

    def describe(self, features: Tensor, attention: Tensor | None, labels: Tensor) -> dict[str, Any]:
        """Return diversity and distinctness of a set that is already in this space."""
        spread = spread_and_separation(features, labels)
        alike = pairwise_similarity(features, labels, self.centre).mean().item()
        attended: float | str = ""
        if attention is not None:
            attended = pairwise_similarity(attention, labels, self.real_attention.mean(0)).mean().item()
        numbers = {"within": spread.within, "between": spread.between, "ratio": spread.ratio}
        return numbers | {"similarity": alike, "attention_similarity": attended}

    def measure(self, images: Tensor, starts: Tensor, labels: Tensor) -> dict[str, Any]:
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


def fixed_spaces(experiment: Experiment) -> list[Space]:
    """Return the spaces that no seed changes: pixels, and ImageNet features where the teachers start from them."""
    data, recipe = experiment.dataset, experiment.recipe
    spaces = [Space("pixels", "", data)]
    if recipe.pretrain.init == "imagenet":
        network = imagenet_network(recipe.pretrain.backbone, recipe.image_size).to(experiment.device)
        spaces.append(Space("imagenet", recipe.pretrain.backbone, data, network))
    return spaces


def judge_space(experiment: Experiment, seed: int, backbone: str = "") -> Space:
    """Return the features and attention of a CAL teacher that made none of an experiment's images.

    Args:
        experiment: gives the images.
        seed: of the teacher that judges; another than the experiment's.
        backbone: its network; empty for the experiment's own.
    """
    changes = {"backbone": backbone} if backbone else {}
    judge = experiment.with_(method=JUDGE_METHOD, seed=seed, **changes)
    title = f"{judge.recipe.pretrain.backbone} with attention head, seed {seed}"
    return Space("judge", title, experiment.dataset, judge.teacher())


def geometry_rows(experiment: Experiment, spaces: Sequence[Space]) -> list[dict[str, Any]]:
    """Return one row (see :data:`fd2lib.record.GEOMETRY`) for each space.

    Args:
        experiment: its images are loaded, or made if they are not there; at least two per class.
        spaces: as :func:`fixed_spaces` and :func:`judge_space` give them.

    Raises:
        ShapeError: fewer than two images per class.
    """
    made, recipe = experiment.distilled(), experiment.recipe
    stages = {"distilled": made.images} | ({"start": made.starts} if recipe.distill.iterations else {})
    fixed = {"method": recipe.method, "start": recipe.distill.start, "ipc": recipe.distill.ipc}
    identity = read_manifest(experiment.distill().folder, "distill")["fingerprint"]
    rows = []
    for space in spaces:
        for stage, images in stages.items():
            measured = space.measure(images, made.starts, made.labels)
            rounded = {name: value if value == "" else round(value, 6) for name, value in measured.items()}
            named = {"images": stage, "space": space.name, "judge": space.judge}
            rows.append(
                {**setting_of(experiment), **fixed, **named, **rounded, "count": len(images)}
                | {"fingerprint": identity}
                | provenance_of(experiment)
            )
    return rows
