"""Rows of what is measured on an experiment's teachers and images: where teachers look, what sets are like."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.ground import Recipe, setting_values
from fd2lib.measure.features import imagenet_network
from fd2lib.measure.maps import attention_maps, attention_mass, average_map, centre_prior, reachable_mass
from fd2lib.measure.masks import PartMasks
from fd2lib.measure.places import occlusion_maps, receptive_fields
from fd2lib.measure.spaces import Space
from fd2lib.models import Teacher
from fd2lib.record import provenance, read_manifest
from fd2lib.stages import DistilledImages, DistillResult, PretrainResult

OCCLUDED = 200  # images; each is shown once for every place
JUDGE_METHOD = "sre2lpp_fd2"  # its teacher has an attention head


class ExperimentLike(Protocol):
    """What is asked of an experiment here and on pages: :class:`fd2lib.drive.Experiment`."""

    @property
    def request(self) -> Any:
        """What was asked, ``seed`` and ``overrides`` among it."""

    @property
    def recipe(self) -> Recipe:
        """All settings."""

    @property
    def dataset(self) -> Dataset:
        """The images."""

    @property
    def device(self) -> torch.device:
        """Where networks run."""

    def with_(self, **changes: Any) -> "ExperimentLike":
        """Return the same experiment with some things asked otherwise."""

    def pretrain(self) -> PretrainResult:
        """Train or load the teacher."""

    def teacher(self) -> Teacher:
        """Return the teacher in evaluation mode."""

    def distill(self) -> DistillResult:
        """Make or load the images."""

    def distilled(self) -> DistilledImages:
        """Return the images."""


def stages_of(experiments: Iterable[Any]) -> list[Any]:
    """Return the results of all four stages of each experiment; what was made before is loaded."""
    return [stage() for one in experiments for stage in (one.pretrain, one.distill, one.relabel, one.evaluate)]


def provenance_columns(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that say what a row was made with, from :func:`fd2lib.record.provenance`."""
    versions = " ".join(f"{name} {version}" for name, version in made["versions"].items())
    return {name: made[name] for name in ("device", "threads", "commit", "date")} | {"versions": versions}


def _fixed_columns(experiment: ExperimentLike) -> dict[str, Any]:
    """What every measured row of an experiment says: images, teachers, seed, and what it was made with."""
    recipe, data = experiment.recipe, experiment.dataset
    return {
        **{name: getattr(recipe, name) for name in ("scale", "dataset", "classes", "image_size")},
        **{"image_set": data.image_set, "images_fingerprint": data.fingerprint, "num_classes": data.num_classes},
        **{name: setting_values(recipe.pretrain)[name] for name in ("backbone", "init")},
        **{"seed": experiment.request.seed},
        **provenance_columns(provenance(experiment.device)),
    }


def attention_rows(experiment: ExperimentLike, parts: PartMasks, occluded: int = OCCLUDED) -> list[dict[str, Any]]:
    """Return one row (see :data:`fd2lib.record.ATTENTION`) for each kind of map of a teacher, over the test images.

    Args:
        experiment: its teacher is loaded, or trained if it is not there.
        parts: of the experiment's test images, as :func:`fd2lib.measure.part_masks` gives them.
        occluded: at most this many images are occluded; 0 for none.

    Raises:
        ShapeError: the teacher's classifier does not read its last feature map linearly.
    """
    run, teacher = experiment.pretrain(), experiment.teacher()
    test = experiment.dataset.test
    shown = parts.counts.nonzero()[:, 0]  # an image without a visible part says nothing
    few = shown[:: max(1, -(-len(shown) // occluded))] if occluded else shown[:0]
    kinds: list[tuple[Tensor, Callable[..., dict[str, Tensor]]]] = [(shown, attention_maps), (few, occlusion_maps)]
    fields = receptive_fields(teacher, test.take(shown[:: max(1, len(shown) // 32)]).cpu())
    fixed = _fixed_columns(experiment) | {
        "teacher_kind": "plain" if teacher.head is None else "cal",
        "cell_spread": round(100 * fields.spread, 4),
        "cell_offset": round(100 * fields.offset, 4),
        "masks": parts.meaning,
        "fingerprint": read_manifest(run.folder, "pretrain")["fingerprint"],
    }
    return [
        fixed
        | {"map": kind, "images": len(index), "parts": int(parts.counts[index].sum())}
        | _shares(maps, parts.masks[index])
        for index, measure in kinds
        if len(index)
        for kind, maps in measure(teacher, test.take(index).cpu(), test.labels.cpu()[index]).items()
    ]


def _shares(maps: Tensor, masks: Tensor) -> dict[str, Any]:
    """The mass of maps ``[N, h, w]`` on masks ``[N, S, S]`` and what to read it against, in %, means over images."""
    size = (maps.shape[1], maps.shape[2])
    shares = {
        "mass": attention_mass(maps, masks),
        "chance": masks.double().mean((1, 2)),
        "centre": attention_mass(centre_prior(masks.shape[-1]), masks),
        "average_map": attention_mass(average_map(maps), masks),
        "reachable": reachable_mass(masks, size),
        "blank": (maps.amax((1, 2)) <= 0).double(),
    }
    percent = {name: round(100 * values.mean().item(), 4) for name, values in shares.items()}
    return {"map_size": f"{size[0]}×{size[1]}", **percent}


def fixed_spaces(experiment: ExperimentLike) -> list[Space]:
    """Return the spaces that no seed changes: pixels, and ImageNet features where the teachers start from them."""
    data, recipe = experiment.dataset, experiment.recipe
    spaces = [Space("pixels", "", data)]
    if recipe.pretrain.init == "imagenet":
        network = imagenet_network(recipe.pretrain.backbone, recipe.image_size).to(experiment.device)
        spaces.append(Space("imagenet", recipe.pretrain.backbone, data, network))
    return spaces


def judge_space(experiment: ExperimentLike, seed: int, backbone: str = "") -> Space:
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


def geometry_rows(experiment: ExperimentLike, spaces: Sequence[Space]) -> list[dict[str, Any]]:
    """Return one row (see :data:`fd2lib.record.GEOMETRY`) for each space, for a set of images and for its starts.

    Args:
        experiment: its images are loaded, or made if they are not there; at least two per class.
        spaces: as :func:`fixed_spaces` and :func:`judge_space` give them.

    Raises:
        ShapeError: fewer than two images per class.
    """
    made, recipe = experiment.distilled(), experiment.recipe
    stages = {"distilled": made.images} | ({"start": made.starts} if recipe.distill.iterations else {})
    fixed = _fixed_columns(experiment) | {
        **{"method": recipe.method, "start": recipe.distill.start, "ipc": recipe.distill.ipc},
        "fingerprint": read_manifest(experiment.distill().folder, "distill")["fingerprint"],
    }
    rows = []
    for space in spaces:
        for stage, images in stages.items():
            measured = space.measure(images, made.starts, made.labels)
            rounded = {name: "" if value is None else round(value, 6) for name, value in measured.items()}
            named = {"images": stage, "space": space.name, "judge": space.judge, "count": len(images)}
            rows.append(fixed | named | rounded)
    return rows
