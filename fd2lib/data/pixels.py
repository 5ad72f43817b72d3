"""From a listing to pixels: decoded splits, their statistics and fingerprint, kept in a cache."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from fd2lib.data.cache import read_cache, write_cache
from fd2lib.data.decode import ImageLoader, decode
from fd2lib.data.listing import Listing, SplitListing
from fd2lib.data.types import ImageSplit

logger = logging.getLogger(__name__)

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per channel of the training pixels in [0, 1], and a digest of each split."""

    mean: Channels
    std: Channels
    digests: Mapping[str, str]


def read_splits(
    listing: Listing, size: int, memory_limit: int, cache: Path | None, key: str, progress: bool
) -> tuple[dict[str, ImageSplit], Statistics]:
    """Decode both splits, or take them from the cache.

    A split that needs more than ``memory_limit`` bytes is read once for its statistics and stays file-backed.
    """
    backed = {split for split, files in listing.splits().items() if len(files) * 3 * size * size > memory_limit}
    found = _from_cache(listing, size, backed, cache, key)
    if found is None:
        found = _from_files(listing, size, backed, progress)
        write_cache(cache, key, found[0], asdict(found[1]))
    images, statistics = found
    splits = {
        split: ImageSplit(
            images=images.get(split),
            labels=torch.tensor(files.labels, dtype=torch.int64),
            names=files.names,
            loader=ImageLoader(files, size) if split in backed else None,
        )
        for split, files in listing.splits().items()
    }
    return splits, statistics


def fingerprint(name: str, classes: tuple[str, ...], size: int, digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of a data set, from its name, classes, size and the digests of its splits."""
    return hashlib.sha256(json.dumps([name, list(classes), size, sorted(digests.items())]).encode()).hexdigest()


def _mean_std(counts: Tensor) -> tuple[Channels, Channels]:
    """Mean and standard deviation per channel, in [0, 1], from how often each value occurs ``[3, 256]``."""
    # Exact integer counts: the result does not depend on the order of images or on threads.
    share = counts.double() / counts.sum(dim=1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ values
    std = (share * (values - mean[:, None]).square()).sum(dim=1).sqrt()
    return tuple(mean.tolist()), tuple(std.tolist())


def _from_files(listing: Listing, size: int, backed: set[str], progress: bool) -> tuple[dict[str, Tensor], Statistics]:
    images: dict[str, Tensor] = {}
    digests: dict[str, str] = {}
    counts = torch.zeros(3, 256, dtype=torch.int64)
    for split, files in listing.splits().items():
        if split not in backed:
            images[split] = torch.empty(len(files), 3, size, size, dtype=torch.uint8)
        digest = _start_digest(files)
        for start, chunk in decode(ImageLoader(files, size), progress=progress, what=f"{split} images"):
            digest.update(chunk.numpy())
            if split == "train":
                counts += torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in chunk.unbind(1)])
            if split not in backed:
                images[split][start : start + len(chunk)] = chunk
        digests[split] = digest.hexdigest()
    return images, Statistics(*_mean_std(counts), digests)


def _from_cache(
    listing: Listing, size: int, backed: set[str], cache: Path | None, key: str
) -> tuple[dict[str, Tensor], Statistics] | None:
    """Cached pixels and statistics, or ``None`` when there are none that can be trusted."""
    found = read_cache(cache, key)
    if found is None:
        return None
    tensors, record = found
    try:
        statistics = Statistics(tuple(record["mean"]), tuple(record["std"]), dict(record["digests"]))
        images = {split: tensors[split].contiguous() for split in listing.splits() if split not in backed}
        for split, pixels in images.items():
            files = listing.splits()[split]
            digest = _start_digest(files)
            digest.update(pixels.numpy())
            if pixels.shape != (len(files), 3, size, size) or digest.hexdigest() != statistics.digests[split]:
                raise ValueError(split)
    except (KeyError, TypeError, ValueError):
        logger.warning("the cached pixels %s in %s are damaged or incomplete; reading the images again", key, cache)
        return None
    return images, statistics


def _start_digest(files: SplitListing) -> "hashlib._Hash":
    """A SHA-256 that has seen a split's names and labels; update it with the pixels in order."""
    return hashlib.sha256(json.dumps([list(files.names), list(files.labels)]).encode())
