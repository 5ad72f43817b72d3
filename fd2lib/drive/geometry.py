"""The command ``geometry``: how diverse, how distinct and how new distilled images are, seed by seed."""

import argparse
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.drive.experiment import Experiment
from fd2lib.drive.measured import (
    PROVENANCE,
    SETTING,
    add_options,
    first_experiment,
    provenance_of,
    setting_of,
    with_settings,
)
from fd2lib.ground import parse_numbers
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
from fd2lib.record import put_rows, read_manifest

JUDGE_METHOD = "sre2lpp_fd2"  # its teacher has an attention head
COPY_QUANTILE = 0.05
_REAL = ("within", "between", "ratio", "similarity", "attention_similarity", "nearest")
COLUMNS: dict[str, str] = {
    **SETTING,
    "method": "random, sre2lpp or sre2lpp_fd2",
    "start": "what optimisation starts from",
    "ipc": "images per class",
    "images": "distilled, or start: what they were before optimisation",
    "space": "pixels; imagenet: features of the network before any fine-tuning; judge: features of a CAL teacher of "
    "another seed (or network), which made none of the images",
    "judge": "the network of the space, and its seed",
    "within": "root mean square difference of two images of one class, mean over classes, in the space's units",
    "between": "the same for two images of different classes, mean over pairs of classes",
    "ratio": "between over within; 1 where classes do not differ",
    "similarity": "cosine similarity of two images of one class, centred on the mean real image, mean over classes",
    "attention_similarity": "the same for the judge's attention maps; empty in other spaces",
    "nearest": "root mean square difference to the nearest training image, mean over images",
    "own_start": "root mean square difference to the image's own start, mean over images",
    "copies": "images nearer to a training image than 95 % of training images are to another, %",
    **{f"real_{name}": f"{name} of all training images (each without itself)" for name in _REAL},
    "count": "distilled images measured",
    "fingerprint": "identity of the distillation's run",
    **PROVENANCE,
}
KEY = (
    *("scale", "dataset", "classes", "image_size", "backbone", "init", "seed", "method", "start", "ipc"),
    *("images", "space", "judge", "fingerprint"),
)

logger = logging.getLogger(__name__)


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
    """Return one row (see :data:`COLUMNS`) for each space, for an experiment's images and what they started from.

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


def add_geometry(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line's."""
    command = commands.add_parser(
        "geometry",
        help="measure how diverse, how distinct and how new distilled images are",
        description="Loads (or makes) the images of each method, start and seed, and compares them in pixels and in "
        "the features of networks that made none of them.",
    )
    add_options(command, "results/geometry.csv")
    command.add_argument("--methods", default="random,sre2lpp,sre2lpp_fd2", help="comma-separated")
    command.add_argument("--starts", default="whole,pool2", help="comma-separated; of methods that optimise")
    command.add_argument("--ipc", type=int, default=3, help="images per class, at least 2")
    command.add_argument("--distill-ipc", type=int, default=0, help="of the run they are a prefix of; 0: the same")
    command.add_argument("--judge-backbone", default="", help="network of the judging teacher; empty: the same")
    command.set_defaults(command=run_geometry)


def run_geometry(options: argparse.Namespace) -> None:
    """Measure every seed, method and start, writing each one's rows at once. The next seed's teacher judges."""
    first, seeds = first_experiment(options), parse_numbers("--seeds", options.seeds)
    fixed = fixed_spaces(first)
    for place, seed in enumerate(seeds):
        judge = seeds[(place + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
        spaces = [*fixed, judge_space(first.with_(seed=seed), judge, options.judge_backbone)]
        for method in options.methods.split(","):
            optimised = first.with_(method=method).recipe.distill.iterations > 0
            for start in options.starts.split(",") if optimised else [""]:
                extra = f"distill.start={start}" if start else ""
                one = with_settings(first, extra, method=method, seed=seed)
                put_rows(geometry_rows(one, spaces), options.out, list(COLUMNS), KEY)
                logger.info("seed %d, %s, start %s: measured", seed, method, start or "whole")
