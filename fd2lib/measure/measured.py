"""Rows of what is measured on an experiment's teachers and images: where teachers look, what sets are like."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fd2lib.data import Dataset, load_parts
from fd2lib.data.plumage import GRAINS, PARTS, render_masks, telling_parts
from fd2lib.data.plumage.families import all_classes
from fd2lib.ground import DataError, Recipe, setting_values
from fd2lib.measure.features import imagenet_network
from fd2lib.measure.maps import (
    attention_maps,
    attention_mass,
    average_map,
    centre_prior,
    occlusion_maps,
    reachable_mass,
    receptive_fields,
)
from fd2lib.measure.sets import Space
from fd2lib.models import Teacher
from fd2lib.record import provenance, read_manifest
from fd2lib.stages import DistilledImages, DistillResult, PretrainResult

RADIUS = 1 / 16  # of the discs, share of the image's side


@dataclass(frozen=True, eq=False)
class PartMasks:
    """The parts of a data set's test images."""

    masks: Tensor  # union of an image's parts, bool [N, S, S]
    counts: Tensor  # visible parts of each image, [N]; an image with 0 has an empty mask
    meaning: str  # what the masks show, in words


def part_masks(dataset: Dataset, root: str | Path = "", radius: float = RADIUS) -> PartMasks:
    """Return the part masks of the test images of ``plumage``, of its sets of a grain, or of ``cub200``.

    Of ``plumage`` exact masks of the parts that tell a class from its siblings. Of ``cub200``, loaded from ``root``, a
    disc around each visible one of the 15 annotated parts, telling or not; its radius is a share of the image's side.

    Raises:
        DataError: parts of this set are not known, or its annotations are missing.
    """
    name, _, grain = dataset.name.partition("_")
    if name == "plumage" and grain in GRAINS:
        masks, counts = _telling_masks(dataset, grain)
        return PartMasks(masks, counts, "exact masks of the parts that tell a class from its siblings")
    if dataset.name != "cub200":
        raise DataError(f"the parts of {dataset.name!r} are not annotated; choose plumage or cub200.")
    parts = load_parts(root, dataset).test
    pixels = radius * dataset.image_size
    masks = part_discs(parts.locations, parts.visible, dataset.image_size, pixels)
    return PartMasks(masks, parts.visible.sum(1), f"discs of {pixels:g} px radius around all visible annotated parts")


def part_discs(locations: Tensor, visible: Tensor, size: int, radius: float) -> Tensor:
    """Return the union of discs around visible points: bool ``[N, S, S]``, true where a pixel's centre is inside.

    Points are (x, y) from 0 to ``size`` S, ``[N, P, 2]``, visible where bool ``[N, P]`` says so; all in pixels.
    """
    centres = torch.arange(size) + 0.5
    masks = torch.zeros(len(locations), size, size, dtype=torch.bool)
    for part in range(locations.shape[1]):  # one part at a time: all together would need P times the memory
        x, y = locations[:, part, :, None].unbind(1)  # [N, 1] each
        squared = (centres - y).square()[:, :, None] + (centres - x).square()[:, None, :]  # [N, S, S]
        masks |= (squared <= radius**2) & visible[:, part, None, None]
    return masks


def _telling_masks(dataset: Dataset, grain: str) -> tuple[Tensor, Tensor]:
    """Masks of the telling parts of the embedded set's test images, drawn again, and how many are seen of each."""
    indices = [int(name.rpartition("/")[2]) for name in dataset.test.names]
    position = {name: index for index, name in enumerate(plumage.name for plumage in all_classes(grain))}
    own = [position[dataset.classes[label]] for label in dataset.test.labels.tolist()]
    drawn = _classes_drawn(indices, own, len(all_classes(grain)))
    drawings = render_masks(drawn, max(indices) // drawn + 1, dataset.image_size, "test", indices=indices, grain=grain)
    tells = torch.tensor([[part in telling_parts(index, drawn, grain) for part in PARTS] for index in own])  # [N, P]
    seen = drawings & tells[:, :, None, None]
    return seen.any(1), seen.flatten(2).any(2).sum(1)


def _classes_drawn(indices: list[int], own: list[int], most: int) -> int:
    """How many classes the set was drawn with: image ``i`` shows class ``i`` modulo that number."""
    for number in range(max(2, max(own) + 1), most + 1):
        if all(index % number == label for index, label in zip(indices, own, strict=True)):
            return number
    raise DataError("the names of these images do not follow the embedded set's order; load it with load_dataset.")


OCCLUDED = 200  # images; each is shown once for every place
JUDGE_METHOD = "sre2lpp_fd2"  # its teacher has an attention head


class ExperimentLike(Protocol):
    """What is asked of an experiment here and on pages: :class:`fd2lib.drive.Experiment`."""

    request: Any  # what was asked, seed and overrides among it
    recipe: Recipe
    device: torch.device

    @property
    def dataset(self) -> Dataset:
        """The images."""

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

    The teacher is loaded, or trained if it is not there. At most ``occluded`` images are occluded; 0 for none.

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

    Its ``seed`` is another than the experiment's; an empty ``backbone`` is the experiment's own.
    """
    judge = experiment.with_(method=JUDGE_METHOD, seed=seed, **({"backbone": backbone} if backbone else {}))
    title = f"{judge.recipe.pretrain.backbone} with attention head, seed {seed}"
    return Space("judge", title, experiment.dataset, judge.teacher())


def geometry_rows(experiment: ExperimentLike, spaces: Sequence[Space]) -> list[dict[str, Any]]:
    """Return one row (see :data:`fd2lib.record.GEOMETRY`) for each space, for a set of images and for its starts.

    The images are loaded, or made if they are not there; :func:`fixed_spaces` and :func:`judge_space` give spaces.

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
