"""Batches: indexed on the device when a split fits there, read by worker processes when it does not."""

import logging
import os
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fd2lib.data.types import ImageSplit
from fd2lib.ground import SettingError

logger = logging.getLogger(__name__)

DEVICE_SHARE = 0.5  # of free device memory that a split may take


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
        split: what to iterate over.
        batch_size: images, at least 1.
        device: where images and labels go.
        generator: CPU generator that draws the order; ``None`` keeps the split's order.
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
    if split.images is not None and _on(split.images, device):
        return _from_memory(split, order, batch_size)
    return _from_loader(split, order, batch_size, device, workers)


def resident(split: ImageSplit, device: str | torch.device) -> ImageSplit:
    """Return the split with its images on ``device``, or as it is when it is file-backed or would not fit there."""
    device = torch.device(device)
    if split.images is None or _on(split.images, device) or not _fits(split.images.nbytes, device):
        return split
    return split.to(device)


def _on(tensor: Tensor, device: torch.device) -> bool:
    return tensor.device.type == device.type and device.index in (None, tensor.device.index)


def _fits(nbytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    if nbytes <= DEVICE_SHARE * free:
        return True
    logger.info("%.1f GiB of images stay in main memory: %.1f GiB are free on %s", nbytes / 2**30, free / 2**30, device)
    return False


def _from_memory(split: ImageSplit, order: Tensor, batch_size: int) -> Iterator[Batch]:
    images, labels = split.images, split.labels
    on_device = order.to(images.device)
    for start in range(0, len(order), batch_size):
        index = on_device[start : start + batch_size]
        yield Batch(images.index_select(0, index), labels.index_select(0, index), order[start : start + batch_size])


class _Rows(torch.utils.data.Dataset):
    """Gives whole batches: the loader passes each list of indices as one item."""

    def __init__(self, split: ImageSplit) -> None:
        self.split = split

    def __getitem__(self, indices: list[int]) -> Tensor:
        return self.split.take(indices)


def _from_loader(
    split: ImageSplit, order: Tensor, batch_size: int, device: torch.device, workers: int | None
) -> Iterator[Batch]:
    chunks = order.split(batch_size)
    if split.images is not None:
        workers = 0  # copying rows needs no processes, which would each hold the pixels
    elif workers is None:
        workers = min(8, os.cpu_count() or 1)
    loader = DataLoader(
        _Rows(split.to("cpu")),
        sampler=[chunk.tolist() for chunk in chunks],
        batch_size=None,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # otherwise the loader draws from the global one
    )
    labels = split.labels.to(device)
    on_device = order.to(device).split(batch_size)
    for chunk, index, images in zip(chunks, on_device, loader, strict=True):
        yield Batch(images.to(device, non_blocking=True), labels.index_select(0, index), chunk)
