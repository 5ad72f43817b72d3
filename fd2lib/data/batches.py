"""Batches: indexed on the device when a split fits there, read by worker processes when it does not."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
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
        split: in memory or read from files.
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
    # The order moves to the device once, not at every batch.
    chunks = list(zip(torch.split(order, batch_size), torch.split(order.to(device), batch_size), strict=True))
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
