"""``load_dataset``: from a name and a root to pixels, labels, statistics and a report."""

from pathlib import Path

from fd2lib.data.cache import cache_folder, cache_key
from fd2lib.data.embedded import load_plumage
from fd2lib.data.find import find_listing
from fd2lib.data.folder import summarise
from fd2lib.data.listing import Listing
from fd2lib.data.pixels import fingerprint, read_splits
from fd2lib.data.registry import dataset_info
from fd2lib.data.subsets import subset_classes, subset_images
from fd2lib.data.types import Dataset, DatasetInfo
from fd2lib.ground import SettingError

MEMORY_LIMIT = 8 * 2**30  # bytes per split


def load_dataset(
    name: str,
    root: str | Path = "",
    size: int = 64,
    classes: str = "",
    *,
    image_set: str = "",
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
        classes: a subset, as :func:`select_classes` reads it: ``""``, ``"10"``, ``"Warbler"``, ``"Warbler:10"``;
            of ``plumage``, ``""`` is the first 8.
        seed: draws the images kept by ``train_per_class`` and ``test_per_class``, and those of ``plumage``.
        train_per_class: training images per class; 0 keeps all (``plumage``: 60).
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
    if info.embedded:
        import dataclasses

        from fd2lib.data.types import image_set_name

        return dataclasses.replace(
            load_plumage(size, classes, seed, train_per_class, test_per_class),
            image_set=image_set_name(name, str(root), image_set),
        )
    listing = find_listing(name, root, download=download)
    remarks = [*_against(info, listing), *listing.report]
    listing = subset_classes(listing, classes)
    listing = Listing(
        listing.classes,
        subset_images(listing.train, listing.classes, "train", train_per_class, seed),
        subset_images(listing.test, listing.classes, "test", test_per_class, seed),
    )
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
        image_set=image_set or (Path(root).resolve().name if name == "folder" else name),
    )


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
