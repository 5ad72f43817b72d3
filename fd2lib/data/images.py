"""What the data room hands out: data sets, their splits, and batches of these.

Batches are indexed on the device when a split fits there, read by worker processes when it does not.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fd2lib.ground import SettingError, batch_sizes

logger = logging.getLogger(__name__)

DEVICE_SHARE = 0.5  # of free device memory that a split may take


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
        warnings: those entries of the report that tell of something amiss, such as files that were passed over.
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
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.image_set:
            object.__setattr__(self, "image_set", self.name)

    @property
    def num_classes(self) -> int:
        """Number of classes, K."""
        return len(self.classes)


class Batch(NamedTuple):
    """Images uint8 ``[B, 3, S, S]`` and labels int64 ``[B]`` on the device; indices int64 ``[B]`` on the CPU."""

    images: Tensor
    labels: Tensor
    indices: Tensor


def batches(
    split: ImageSplit,
    batch_size: int,
    device: str | torch.device = "cpu",
    generator: torch.Generator | None = None,
    drop_last: bool = False,
    *,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Iterate over a split once.

    The order comes from ``generator`` alone, so a split in memory and one read from files give the same batches.
    Over several epochs, pass ``resident(split, device)``, which moves the images once instead of at every call.

    Args:
        split: in memory or read from files.
        batch_size: images, at least 1.
        device: where images and labels go.
        generator: CPU generator that draws the order, and a last batch of one image joins the one before it; ``None``
            keeps the split's order, and its last batch.
        drop_last: leave out a last batch that is not full.
        workers: processes that read a file-backed split; ``None`` takes up to eight, one per core.

    Raises:
        SettingError: a batch size below 1, or above the split's size when the last batch is dropped.
    """
    if batch_size < 1:
        raise SettingError(f"batch_size is {batch_size}; expected at least 1.")
    if drop_last and batch_size > len(split):
        raise SettingError(
            f"batch_size is {batch_size} but the split has {len(split)} images, so every batch would be dropped; "
            f"choose {len(split)} or fewer."
        )
    device = torch.device(device)
    order = torch.arange(len(split)) if generator is None else torch.randperm(len(split), generator=generator)
    if drop_last:
        order = order[: len(split) // batch_size * batch_size]
    split = resident(split, device)
    # The order moves to the device once, not at every batch.
    # Shuffled batches are for training, under the batch's own statistics.
    sizes = batch_size if generator is None else batch_sizes(len(order), batch_size)
    chunks = list(zip(torch.split(order, sizes), torch.split(order.to(device), sizes), strict=True))
    images, labels = split.images, split.labels
    if images is not None and _on(images, device):
        return (Batch(images.index_select(0, index), labels.index_select(0, index), chunk) for chunk, index in chunks)
    return _from_loader(split, chunks, device, workers)


def resident(split: ImageSplit, device: str | torch.device) -> ImageSplit:
    """Return the split with its images on ``device``, or as it is when it is file-backed or would not fit there."""
    device = torch.device(device)
    if split.images is None or _on(split.images, device):
        return split
    nbytes, free = split.images.nbytes, torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf
    if nbytes <= DEVICE_SHARE * free:
        return split.to(device)
    logger.info("%.1f GiB of images stay in main memory: %.1f GiB are free on %s", nbytes / 2**30, free / 2**30, device)
    return split


def _on(tensor: Tensor, device: torch.device) -> bool:
    return tensor.device.type == device.type and device.index in (None, tensor.device.index)


def _from_loader(
    split: ImageSplit, chunks: Sequence[tuple[Tensor, Tensor]], device: torch.device, workers: int | None
) -> Iterator[Batch]:
    if split.images is not None:
        workers = 0  # copying rows needs no processes, which would each hold the pixels
    elif workers is None:
        workers = min(8, os.cpu_count() or 1)
    loader: DataLoader[Tensor] = DataLoader(
        [chunk.tolist() for chunk, _ in chunks],  # type: ignore[arg-type]  # a list serves as a set of whole batches
        batch_size=None,
        collate_fn=split.to("cpu").take,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # otherwise the loader draws from the global one
    )
    labels = split.labels.to(device)
    for (chunk, index), images in zip(chunks, loader, strict=True):
        yield Batch(images.to(device, non_blocking=True), labels.index_select(0, index), chunk)
