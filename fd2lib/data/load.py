"""``load_dataset``: from a name and a root to pixels, labels, statistics and a report."""

import os
from pathlib import Path

import torch

from fd2lib.data.archives import READERS, WNIDS
from fd2lib.data.cache import cache_folder, cache_key
from fd2lib.data.folder import scan_folder, summarise
from fd2lib.data.listing import Listing
from fd2lib.data.pixels import fingerprint, histogram, mean_std, read_splits, start_digest
from fd2lib.data.registry import dataset_info
from fd2lib.data.subsets import select_classes, subset_classes, subset_images
from fd2lib.data.types import Dataset, DatasetInfo, ImageSplit
from fd2lib.ground import DataError, SettingError

MEMORY_LIMIT = 8 * 2**30  # bytes per split
PLUMAGE_CLASSES, PLUMAGE_TRAIN, PLUMAGE_TEST = 8, 30, 25  # defaults of the embedded set


def load_dataset(
    name: str,
    root: str | Path = "",
    size: int = 64,
    classes: str = "",
    *,
    seed: int = 0,
    train_per_class: int = 0,
    test_per_class: int = 0,
    cache: str | Path = "",
    memory_limit: int = MEMORY_LIMIT,
    download: bool = False,
    progress: bool = True,
) -> Dataset:
    """Load a data set with every image warped to ``size`` × ``size``.

    Args:
        name: one of :func:`list_datasets`.
        root: the folder that holds the set's folder; for ``folder`` the one that holds ``train`` and ``test``.
            Empty takes the environment's ``FD2LIB_DATA_ROOT``; ``plumage`` needs none.
        size: pixels, 1 to 2048.
        classes: a subset, as :func:`select_classes` reads it: ``""``, ``"10"``, ``"Warbler"``, ``"Warbler:10"``.
        seed: draws the images kept by ``train_per_class`` and ``test_per_class``, and those of ``plumage``.
        train_per_class: training images per class; 0 keeps all (``plumage``: 30).
        test_per_class: test images per class; 0 keeps all (``plumage``: 25).
        cache: folder for decoded pixels, see :func:`cache_folder`.
        memory_limit: bytes of pixels above which a split is read from files at each use.
        download: fetch the set into ``root`` where its source allows it and it is not there yet.
        progress: show a bar while reading many images.

    Raises:
        SettingError: an unknown name, or a size out of range.
        DataError: the set is not under ``root``, unreadable images, or a class that is missing or too small.
    """
    info = dataset_info(name)
    if not 1 <= size <= 2048:
        raise SettingError(f"size is {size}; expected 1 to 2048 pixels.")
    per_class = {"train": train_per_class, "test": test_per_class}
    if info.embedded:
        return _load_plumage(size, classes, seed, per_class)
    listing = find_listing(name, root, download=download)
    remarks = [*_against(info, listing), *listing.report]
    listing = subset_classes(listing, classes)
    kept = {s: subset_images(files, listing.classes, s, per_class[s], seed) for s, files in listing.splits()}
    listing = Listing(listing.classes, kept["train"], kept["test"])
    key = cache_key(name, listing, size)
    folder = None if listing.train.pixels is not None else cache_folder(cache)  # arrays are as quick to read
    splits, statistics = read_splits(listing, size, memory_limit, folder, key, progress)
    return Dataset(
        name=name,
        classes=listing.classes,
        image_size=size,
        train=splits["train"],
        test=splits["test"],
        mean=statistics.mean,
        std=statistics.std,
        fingerprint=fingerprint(name, listing.classes, size, statistics.digests),
        report=(*summarise(listing), *remarks),
    )


def find_listing(name: str, root: str | Path, *, download: bool = False) -> Listing:
    """List a set's files, as class folders under ``root/name`` or in its authors' layout under ``root``.

    Raises:
        DataError: no root, or neither layout is there.
    """
    info = dataset_info(name)
    text = str(root) or os.environ.get("FD2LIB_DATA_ROOT", "")
    if not text:
        raise DataError(f"data set {name!r} needs a root folder; pass root=FOLDER or set FD2LIB_DATA_ROOT.")
    root = Path(text).expanduser()
    if not root.is_dir() and not download:
        raise DataError(f"data root {root} does not exist; pass the folder that holds {info.layout}.")
    if name == "folder":
        return scan_folder(root)
    if (root / name / "train").is_dir():
        return scan_folder(root / name, rename=lambda key: WNIDS.get(key, key))
    for base in (root / name, root):
        listing = READERS[name](base)
        if listing is not None:
            return listing
    if download and info.downloadable:
        return READERS[name](root, download=True)
    raise DataError(f"no {name} under {root}; expected {info.layout}. {_remedy(info)}")


def _remedy(info: DatasetInfo) -> str:
    prepare = f"Unpack a pack with `python -m fd2lib data prepare {info.name} --from FOLDER --root ROOT`"
    if info.downloadable:
        return f"{prepare}, or pass download=True."
    return f"{prepare}, or unpack the archive from {info.source} there."


def _against(info: DatasetInfo, listing: Listing) -> list[str]:
    """Compare a complete listing with the official numbers."""
    pairs = (
        ("classes", info.num_classes, len(listing.classes)),
        ("training images", info.train_images, len(listing.train)),
        ("test images", info.test_images, len(listing.test)),
    )
    return [
        f"problem: {seen:,} {what} found, {info.title} has {official:,}; the copy is not complete"
        for what, official, seen in pairs
        if official and seen != official
    ]


def _load_plumage(size: int, classes: str, seed: int, per_class: dict[str, int]) -> Dataset:
    from fd2lib.data.plumage import class_names, render_split  # drawing code that only this set needs

    count = int(classes) if classes.strip().isdecimal() else PLUMAGE_CLASSES
    names = tuple(class_names(count))
    chosen = select_classes(names, classes)
    relabel = torch.full((len(names),), -1, dtype=torch.int64)
    relabel[chosen] = torch.arange(len(chosen))
    kept = tuple(names[index] for index in chosen)
    splits, digests = {}, {}
    for split, default in (("train", PLUMAGE_TRAIN), ("test", PLUMAGE_TEST)):
        images, labels, image_names = render_split(count, per_class[split] or default, size, split, seed=seed)
        labels = relabel[torch.as_tensor(labels)]
        keep = (labels >= 0).nonzero().flatten()
        image_names = tuple(image_names[i] for i in keep.tolist())
        splits[split] = ImageSplit(torch.as_tensor(images)[keep].contiguous(), labels[keep], image_names)
        digest = start_digest(image_names, tuple(labels[keep].tolist()))
        digest.update(splits[split].images.numpy())
        digests[split] = digest.hexdigest()
    mean, std = mean_std(histogram(splits["train"].images))
    report = [f"{len(kept)} classes drawn by the library, seed {seed}"]
    report += [f"{split}: {len(splits[split])} images, {len(splits[split]) // len(kept)} per class" for split in splits]
    return Dataset("plumage", kept, size, splits["train"], splits["test"], mean, std,
                   fingerprint("plumage", kept, size, digests), tuple(report))
