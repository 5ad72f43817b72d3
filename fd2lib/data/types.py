"""What the data room hands out: splits and data sets."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """One split: either pixels in memory or, when they are too many, a loader that reads one image at a time.

    Attributes:
        images: uint8 ``[N, 3, S, S]``, or ``None`` when the split is file-backed.
        labels: int64 ``[N]``, on the device of ``images``, in ``0 … len(classes) − 1``.
        names: relative paths such as ``train/001.Black_footed_Albatross/x.jpg``, in the order of the images.
        loader: ``loader(index)`` gives uint8 ``[3, S, S]`` on the CPU; ``None`` when ``images`` is there.
    """

    images: Tensor | None
    labels: Tensor
    names: tuple[str, ...]
    loader: Callable[[int], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return the images at ``indices`` as uint8 ``[n, 3, S, S]``, from memory or from files."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        if self.images is not None:
            return self.images.index_select(0, index.to(self.images.device))
        if self.loader is None:
            raise ValueError("a split needs images or a loader")
        return torch.stack([self.loader(i) for i in index.tolist()])

    def to(self, device: str | torch.device) -> "ImageSplit":
        """Return the split with images and labels on ``device``; a file-backed split keeps its files."""
        images = None if self.images is None else self.images.to(device)
        return replace(self, images=images, labels=self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set at one image size, with the pixels' statistics and a fingerprint.

    Attributes:
        name: registered name, such as ``cub200``.
        classes: class names in label order.
        image_size: S, pixels; images are warped to S × S.
        mean: per channel, over all training pixels scaled to [0, 1].
        std: likewise.
        fingerprint: SHA-256 over name, classes, size, labels, image names and pixels; the same on any machine.
        report: what was found on loading, one remark per entry.
        image_set: name of one's own for the images, by default ``name``; it is no part of the fingerprint.
    """

    name: str
    classes: tuple[str, ...]
    image_size: int
    train: ImageSplit
    test: ImageSplit
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fingerprint: str
    report: tuple[str, ...] = ()
    image_set: str = ""

    def __post_init__(self) -> None:
        if not self.image_set:
            object.__setattr__(self, "image_set", self.name)

    @property
    def num_classes(self) -> int:
        """Number of classes, K."""
        return len(self.classes)


def display_name(class_name: str) -> str:
    """Return a class name for people: ``159.Black_and_white_Warbler`` becomes ``Black and white Warbler``."""
    return re.sub(r"^\d+\.", "", class_name).replace("_", " ").strip() or class_name
