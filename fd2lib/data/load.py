"""``load_dataset``: a set is found below a root, listed, cut to a subset, and read with statistics and a report."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fd2lib.data.folder import scan_folder
from fd2lib.data.images import Dataset
from fd2lib.data.listing import Listing
from fd2lib.data.pixels import cache_folder, cache_key, fingerprint, read_splits
from fd2lib.data.places import data_root, image_set_name, locate
from fd2lib.data.registry import DatasetInfo, differences, get_reader
from fd2lib.data.subsets import keep_classes, keep_images, select_classes
from fd2lib.ground import DataError, Fd2Error, SettingError, total_memory

MEMORY_LIMIT = 8 * 2**30  # bytes per split


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
    image_set: str = "",
) -> Dataset:
    """Load a data set with every image warped to ``size`` × ``size``.

    Args:
        name: one of :func:`list_datasets`.
        root: the folder that holds the set's folder; for ``folder`` the one that holds ``train`` and ``test``.
            Empty takes the environment's ``FD2LIB_DATA_ROOT``; ``plumage`` needs none.
        size: pixels, 1 to 2048.
        classes: a subset, as :func:`select_classes` reads it: ``""``, ``"10"``, ``"Warbler"``, ``"Warbler:10"``,
            or a subset that the set's card names; of ``plumage``, ``""`` is the first 8.
        seed: draws the images kept by ``train_per_class`` and ``test_per_class``, and those of ``plumage``.
        train_per_class: training images per class; 0 keeps all (``plumage``: 60).
        test_per_class: test images per class; 0 keeps all (``plumage``: 25).
        cache: folder for decoded pixels, see :func:`cache_folder`.
        memory_limit: bytes of pixels above which a split is read from files at each use; never more than a quarter of
            the machine's.
        download: fetch the set into ``root`` where its source allows it and it is not there yet.
        progress: show a bar while reading many images.
        image_set: a name of one's own for these images; by default the folder's for ``folder``, else ``name``.

    Raises:
        SettingError: an unknown name, a size or number out of range, or a name of one's own that cannot be one.
        DataError: the set is not under ``root``, unreadable images, or a class that is missing or too small.
    """
    reader = get_reader(name)
    if not 1 <= size <= 2048:
        raise SettingError(f"size is {size}; expected 1 to 2048 pixels.")
    for split, count in (("train", train_per_class), ("test", test_per_class)):
        if count < 0:
            raise SettingError(f"{split}_per_class is {count}; expected 0 (all images) or more.")
    image_set = image_set_name(name, root, image_set)
    if reader.draw:
        listing = reader.draw(size, classes, seed, train_per_class, test_per_class)
    else:
        listing = find_listing(name, root, download=download)
        listing = replace(listing, warnings=(*_against(reader.info, listing, classes), *listing.warnings))
        listing = keep_classes(listing, select_classes(listing.classes, classes, reader.subsets))
        train = keep_images(listing.train, listing.classes, "train", train_per_class, seed)
        test = keep_images(listing.test, listing.classes, "test", test_per_class, seed)
        listing = replace(listing, train=train, test=test)
    folder = None if listing.train.pixels is not None else cache_folder(cache)  # arrays are as quick to read
    key = cache_key(name, listing, size)
    memory_limit = min(memory_limit, (total_memory() or memory_limit) // 4)
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
        report=(*listing.summary(), *listing.report, *statistics.remarks, *listing.warnings),
        image_set=image_set,
        warnings=listing.warnings,
    )


def _against(info: DatasetInfo, listing: Listing, classes: str) -> list[str]:
    """Say in which numbers a copy is not the official set; what is asked of all its classes needs all of it.

    Raises:
        DataError: it is not, and no classes were asked for by name.
    """
    wrong = differences(info, listing)
    if wrong and (not classes.strip() or classes.strip().isdecimal()):
        raise DataError(
            f"the copy of {info.title} has {wrong}, so it is not the whole set; get the whole one, "
            "or take what is there by naming classes, as classes='Warbler', or '*' for all."
        )
    return [f"the copy of {info.title} is not the whole set: it has {wrong}"] if wrong else []


def find_listing(name: str, root: str | Path, *, download: bool = False) -> Listing:
    """List a set's files, which may be fetched first."""
    reader = get_reader(name)
    info, root = reader.info, data_root(name, root)
    if not os.path.isdir(root) and not download:
        what = "is no folder" if os.path.exists(root) else "does not exist"
        raise DataError(f"data root {root} {what}; pass the folder that holds {info.layout}.")
    place = locate(reader, root)
    if place is None and download and reader.download:
        with _explained(f"fetch {info.title} into {root}", f"fetch it from {info.source} by hand"):
            root.mkdir(parents=True, exist_ok=True)
            reader.download(root)
        place = locate(reader, root)
    if place is None:
        fetch = "pass download=True" if info.downloadable else f"get the archive from {info.source}"
        raise DataError(
            f"no {name} under {root}; expected {info.layout} there. "
            f"Unpack tars with `python -m fd2lib data prepare {name} --from FOLDER --root ROOT`, or {fetch}."
        )
    if place.class_folders or not reader.read:
        return scan_folder(place.path, reader.class_names)
    with _explained(f"read {info.title} in {place.path}", "unpack the whole archive there again"):
        return reader.read(place.path)


@contextlib.contextmanager
def _explained(what: str, remedy: str) -> Iterator[None]:
    """Say what could not be done, why, and what to do, whatever a reader raises."""
    try:
        yield
    except Fd2Error:
        raise
    except Exception as error:  # what torchvision, SciPy and others raise for missing or damaged files is of many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"cannot {what} ({reason}); {remedy}.") from error
