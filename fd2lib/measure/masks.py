"""Which pixels show the parts of a bird: exact masks of the embedded set, discs around CUB's part locations."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fd2lib.data import Dataset, load_parts
from fd2lib.data.plumage import MAX_CLASSES, PARTS, class_names, render_masks, telling_parts
from fd2lib.ground import DataError

RADIUS = 1 / 16  # of the discs, share of the image's side


@dataclass(frozen=True, eq=False)
class PartMasks:
    """The parts of a data set's test images.

    Attributes:
        masks: union of an image's parts, bool ``[N, S, S]``.
        counts: visible parts of each image, ``[N]``; an image with 0 has an empty mask.
        meaning: what the masks show, in words.
    """

    masks: Tensor
    counts: Tensor
    meaning: str


def part_masks(dataset: Dataset, root: str | Path = "", radius: float = RADIUS) -> PartMasks:
    """Return the part masks of the test images.

    Args:
        dataset: ``plumage`` (exact masks of the parts that tell a class from its siblings) or ``cub200`` (a disc
            around each visible one of the 15 annotated parts, telling or not).
        root: the root that ``cub200`` was loaded from.
        radius: of the discs, share of the image's side.

    Raises:
        DataError: parts of this set are not known, or its annotations are missing.
    """
    if dataset.name == "plumage":
        masks, counts = _telling_masks(dataset)
        return PartMasks(masks, counts, "exact masks of the parts that tell a class from its siblings")
    if dataset.name != "cub200":
        raise DataError(f"the parts of {dataset.name!r} are not annotated; choose plumage or cub200.")
    parts = load_parts(root, dataset).test
    pixels = radius * dataset.image_size
    masks = part_discs(parts.locations, parts.visible, dataset.image_size, pixels)
    return PartMasks(masks, parts.visible.sum(1), f"discs of {pixels:g} px radius around all visible annotated parts")


def part_discs(locations: Tensor, visible: Tensor, size: int, radius: float) -> Tensor:
    """Return the union of discs around visible points: bool ``[N, S, S]``, true where a pixel's centre is inside.

    Args:
        locations: (x, y) in pixels from 0 to S, ``[N, P, 2]``.
        visible: bool ``[N, P]``.
        size: S, pixels.
        radius: pixels.
    """
    centres = torch.arange(size) + 0.5
    masks = torch.zeros(len(locations), size, size, dtype=torch.bool)
    for part in range(locations.shape[1]):  # one part at a time: all together would need P times the memory
        x, y = locations[:, part, :, None].unbind(1)  # [N, 1] each
        squared = (centres - y).square()[:, :, None] + (centres - x).square()[:, None, :]  # [N, S, S]
        masks |= (squared <= radius**2) & visible[:, part, None, None]
    return masks


def _telling_masks(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Masks of the telling parts of the embedded set's test images, drawn again, and how many are seen of each."""
    indices = [int(name.rpartition("/")[2]) for name in dataset.test.names]
    position = {name: index for index, name in enumerate(class_names(MAX_CLASSES))}
    own = [position[dataset.classes[label]] for label in dataset.test.labels.tolist()]
    drawn = _classes_drawn(indices, own)
    drawings = render_masks(drawn, max(indices) // drawn + 1, dataset.image_size, "test", indices=indices)
    tells = torch.tensor([[part in telling_parts(index, drawn) for part in PARTS] for index in own])  # [N, P]
    seen = drawings & tells[:, :, None, None]
    return seen.any(1), seen.flatten(2).any(2).sum(1)


def _classes_drawn(indices: list[int], own: list[int]) -> int:
    """How many classes the set was drawn with: image ``i`` shows class ``i`` modulo that number."""
    for number in range(max(2, max(own) + 1), MAX_CLASSES + 1):
        if all(index % number == label for index, label in zip(indices, own, strict=True)):
            return number
    raise DataError("the names of these images do not follow the embedded set's order; load it with load_dataset.")
