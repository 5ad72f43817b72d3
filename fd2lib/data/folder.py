"""Folders of class folders: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fd2lib.data.decode import unreadable
from fd2lib.data.listing import Listing, SplitListing, sorted_split
from fd2lib.ground import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


def scan_folder(folder: str | Path, rename: Callable[[str], str] | None = None) -> Listing:
    """List ``folder/train`` and ``folder/test`` (``val`` where there is no ``test``).

    Class folders in text order give the labels, and both splits must have the same ones. Hidden files are
    skipped; files that are not images, and folders inside class folders, are skipped and reported.

    Args:
        folder: what holds ``train`` and ``test``.
        rename: gives a class its name from its folder's name; the order stays that of the folders.

    Raises:
        DataError: a missing folder, no classes, classes that differ between the splits, an empty class.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; expected one that holds train/ and test/ with one folder per class.")
    test_name = "val" if not (folder / "test").is_dir() and (folder / "val").is_dir() else "test"
    train_folders, test_folders = _class_folders(folder / "train"), _class_folders(folder / test_name)
    _same_classes(folder, list(train_folders), list(test_folders), test_name)
    keys = tuple(train_folders)
    classes = tuple(rename(key) for key in keys) if rename else keys
    report = [f"{folder.name}/val is used as the test split"] if test_name == "val" else []
    report += _order_remarks(keys)
    splits = {}
    for split, folders in (("train", train_folders), ("test", test_folders)):
        items = []
        for label, path in enumerate(folders.values()):
            files, remarks = _images(path)
            report += remarks
            items += [(label, file.name, str(file)) for file in files]
        splits[split] = sorted_split(split, items, classes)
    return Listing(classes, splits["train"], splits["test"], tuple(report))


def check_folder(folder: str | Path, *, decode: bool = True) -> tuple[str, ...]:
    """Look a folder of images over and say what is there and what is wrong where, raising nothing.

    Args:
        folder: what holds ``train`` and ``test``.
        decode: also decode every image, which finds unreadable ones.

    Returns:
        One remark per line; problems start with ``problem:``.
    """
    try:
        listing = scan_folder(folder)
    except DataError as error:
        return (f"problem: {error}",)
    lines = [*summarise(listing), *listing.report]
    if decode:
        for split, files in listing.splits():
            lines += [f"problem: {split}: cannot read {path} ({reason})" for path, reason in unreadable(files)]
    return tuple(lines)


def summarise(listing: Listing) -> list[str]:
    """Return remarks on the number of classes, their order, and the images per class of each split."""
    classes = listing.classes
    lines = [describe_classes(classes)]
    for split, files in listing.splits():
        counts = images_per_class(files, len(classes))
        low, high = min(counts), max(counts)
        each = f"{low} per class" if low == high else f"{low}–{high} per class, fewest in {classes[counts.index(low)]}"
        lines.append(f"{split}: {len(files)} images, {each}")
    return lines


def describe_classes(classes: tuple[str, ...]) -> str:
    """Return the number of classes and the ends of their order."""
    if len(classes) == 1:
        return f"1 class: {classes[0]}"
    return f"{len(classes)} classes in label order: {classes[0]} … {classes[-1]}"


def images_per_class(files: SplitListing, num_classes: int) -> list[int]:
    """Return how many images each class has, in label order."""
    counts = Counter(files.labels)
    return [counts[label] for label in range(num_classes)]


def _class_folders(split: Path) -> dict[str, Path]:
    """Class folders by name, in text order."""
    if not split.is_dir():
        raise DataError(f"no folder {split}; expected {split.name}/ with one folder of images per class.")
    found = {path.name: path for path in sorted(split.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    if not found:
        raise DataError(f"{split} holds no class folders; expected {split.name}/<class>/<image>.")
    return found


def _same_classes(folder: Path, train: list[str], test: list[str], test_name: str) -> None:
    if train == test:
        return
    only_train, only_test = sorted(set(train) - set(test)), sorted(set(test) - set(train))
    differences = [
        f"{len(names)} only in {split}/ ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"
        for split, names in (("train", only_train), (test_name, only_test))
        if names
    ]
    raise DataError(
        f"{folder}: train/ has {len(train)} classes and {test_name}/ {len(test)}, {' and '.join(differences)}; "
        "both need the same class folders, so add or move away the odd ones."
    )


def _order_remarks(classes: tuple[str, ...]) -> list[str]:
    """Numbers without leading zeros sort as text, which gives labels that their owner may not expect."""
    if len(classes) > 1 and all(name.isdecimal() for name in classes) and list(classes) != sorted(classes, key=int):
        return [f"class folders sort as text, so {classes[1]} comes second; pad numbers with zeros for another order"]
    return []


def _images(folder: Path) -> tuple[list[Path], list[str]]:
    """Image files of a class folder, and remarks on everything else in it."""
    images, others, folders = [], [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            folders.append(path.name)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        else:
            others.append(path.name)
    where = f"{folder.parent.name}/{folder.name}"
    if not images:
        inside = f" (it holds {len(others)} other files and {len(folders)} folders)" if others or folders else ""
        raise DataError(
            f"class folder {folder} has no images{inside}; "
            f"add images ({', '.join(sorted(re.sub(r'^.', '', s) for s in IMAGE_SUFFIXES))}) or move the folder away."
        )
    remarks = [f"{where}: {len(others)} files that are not images skipped ({others[0]} …)"] if others else []
    remarks += [f"{where}: {len(folders)} folders inside a class skipped ({folders[0]} …)"] if folders else []
    return images, remarks
