"""From a listing to pixels: decoded splits, their statistics and fingerprint, kept in a cache.

The cache holds one safetensors file and one JSON record per data set, size and subset. It is only ever a shortcut: when
it is missing, damaged or cannot be written, the images are read again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import PIL
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fd2lib.data.decode import ImageLoader, decode
from fd2lib.data.images import ImageSplit
from fd2lib.data.listing import Listing, Remarks, SplitListing
from fd2lib.ground import ArtefactError, atomic_path, read_json, write_json

logger = logging.getLogger(__name__)

FORMAT = 2  # raise when decoding or the files' layout changes
Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per channel of the training pixels in [0, 1], and a digest of each split.

    ``remarks`` say what was decided for images that are not plain 8-bit RGB.
    """

    mean: Channels
    std: Channels
    digests: Mapping[str, str]
    remarks: Sequence[str] = ()


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
        _write_cache(cache, key, *found)
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
    remarks = Remarks()
    counts = torch.zeros(3, 256, dtype=torch.int64)
    for split, files in listing.splits().items():
        if split not in backed:
            images[split] = torch.empty(len(files), 3, size, size, dtype=torch.uint8)
        digest = _start_digest(files)
        for start, chunk in decode(ImageLoader(files, size), remarks, progress=progress, what=f"{split} images"):
            digest.update(chunk.numpy().data)
            if split == "train":
                counts += torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in chunk.unbind(1)])
            if split not in backed:
                images[split][start : start + len(chunk)] = chunk
        digests[split] = digest.hexdigest()
    return images, Statistics(*_mean_std(counts), digests, remarks.lines())


def _from_cache(
    listing: Listing, size: int, backed: set[str], cache: Path | None, key: str
) -> tuple[dict[str, Tensor], Statistics] | None:
    """Cached pixels and statistics, or ``None`` when there are none that can be trusted."""
    if cache is None or not (cache / f"{key}.json").is_file():
        return None
    try:
        record, stored = read_json(cache / f"{key}.json"), cache / f"{key}.safetensors"
        tensors = load_file(stored) if stored.is_file() else {}
        told = tuple(map(str, record["remarks"]))
        statistics = Statistics(tuple(record["mean"]), tuple(record["std"]), dict(record["digests"]), told)
        images = {split: tensors[split].contiguous() for split in listing.splits() if split not in backed}
        for split, pixels in images.items():
            files = listing.splits()[split]
            digest = _start_digest(files)
            digest.update(pixels.numpy().data)
            if pixels.shape != (len(files), 3, size, size) or digest.hexdigest() != statistics.digests[split]:
                raise ValueError(f"the {split} images are others")
    except (ArtefactError, OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        logger.warning("cannot use the cached pixels %s in %s (%s); reading the images again", key, cache, error)
        return None
    return images, statistics


def _write_cache(folder: Path | None, key: str, tensors: dict[str, Tensor], statistics: Statistics) -> None:
    """Store tensors, then the record that says they are complete; a folder that cannot be written is only logged."""
    if folder is None:
        return
    try:
        if tensors:
            with atomic_path(folder / f"{key}.safetensors") as path:
                save_file(tensors, path)
        write_json(folder / f"{key}.json", asdict(statistics))
    except (ArtefactError, OSError, SafetensorError) as error:
        logger.warning("decoded pixels are not kept: %s Set FD2LIB_CACHE to a folder that can be written.", error)


def _start_digest(files: SplitListing) -> "hashlib._Hash":
    """A SHA-256 that has seen a split's names and labels; update it with the pixels in order."""
    return hashlib.sha256(json.dumps([list(files.names), list(files.labels)]).encode())


def cache_folder(cache: str | Path = "") -> Path | None:
    """Return the folder for decoded pixels: ``cache``, else ``FD2LIB_CACHE``, else ``~/.cache/fd2lib``.

    It may not exist yet; ``None`` where there is no home folder either.
    """
    chosen = str(cache) or os.environ.get("FD2LIB_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fd2lib"
    except RuntimeError:
        return None


def cache_key(name: str, listing: Listing, size: int) -> str:
    """Return what identifies decoded pixels: the set, size, classes, and each file's name, bytes and age."""
    digest = hashlib.sha256(json.dumps([FORMAT, PIL.__version__, name, size, list(listing.classes)]).encode())
    for split, files in listing.splits().items():
        digest.update(json.dumps([split, files.crop_bottom, list(files.labels), files.stamps()]).encode())
    return f"{name}-{size}-{digest.hexdigest()[:16]}"
