"""Folders of class folders: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from collections.abc import Mapping
from pathlib import Path

from fd2lib.data.decode import unreadable
from fd2lib.data.listing import Listing, make_listing
from fd2lib.ground import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


def scan_folder(folder: str | Path, class_names: Mapping[str, str] | None = None) -> Listing:
    """List ``folder/train`` and ``folder/test`` (``val`` where there is no ``test``).

    Class folders in text order give the labels, and both splits must have the same ones. Hidden files are
    skipped; files that are not images, and folders inside class folders, are skipped and reported.
    ``class_names`` names classes whose folders are called otherwise; the order stays that of the folders.

    Raises:
        DataError: a missing folder, no classes, classes that differ between the splits, an empty class.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; expected one that holds train/ and test/ with one folder per class.")
    test_name = "val" if not (folder / "test").is_dir() and (folder / "val").is_dir() else "test"
    folders = [_class_folders(folder / split) for split in ("train", test_name)]
    keys = [path.name for path in folders[0]]
    _same_classes(folder, keys, [path.name for path in folders[1]], test_name)
    report = [f"{folder.name}/val is used as the test split"] if test_name == "val" else []
    # Numbers without leading zeros sort as text, which gives labels that their owner may not expect.
    if len(keys) > 1 and all(key.isdecimal() for key in keys) and keys != sorted(keys, key=int):
        report += [f"class folders sort as text, so {keys[1]} comes second; pad numbers with zeros for another order"]
    splits = [
        [(image, label) for label, path in enumerate(paths) for image in _images(path, report)] for paths in folders
    ]
    return make_listing([(class_names or {}).get(key, key) for key in keys], *splits, report=report)


def check_folder(folder: str | Path, *, decode: bool = True) -> tuple[str, ...]:
    """Say what is in a folder with ``train`` and ``test``, and what is wrong where, raising nothing.

    One remark per line; problems start with ``problem:``. Unless told not to, each image is decoded, to find unreadable
    ones.
    """
    try:
        listing = scan_folder(folder)
    except DataError as error:
        return (f"problem: {error}",)
    lines = [*listing.summary(), *listing.report]
    for split, files in listing.splits().items() if decode else ():
        lines += [f"problem: {split}: {error}" for error in unreadable(files)]
    return tuple(lines)


def _class_folders(split: Path) -> list[Path]:
    if not split.is_dir():
        raise DataError(f"no folder {split}; expected {split.name}/ with one folder of images per class.")
    found = [path for path in sorted(split.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if not found:
        raise DataError(f"{split} holds no class folders; expected {split.name}/<class>/<image>.")
    return found


def _same_classes(folder: Path, train: list[str], test: list[str], test_name: str) -> None:
    only = {"train": sorted(set(train) - set(test)), test_name: sorted(set(test) - set(train))}
    differences = [
        f"{len(names)} only in {split}/ ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"
        for split, names in only.items()
        if names
    ]
    if differences:
        raise DataError(
            f"{folder}: train/ has {len(train)} classes and {test_name}/ {len(test)}, {' and '.join(differences)}; "
            "both need the same class folders, so add or move away the odd ones."
        )


def _images(folder: Path, report: list[str]) -> list[Path]:
    """Image files of a class folder; everything else in it is added to the report."""
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    folders = [path.name for path in inside if path.is_dir()]
    files = [path for path in inside if not path.is_dir()]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    others = [path.name for path in files if path.suffix.lower() not in IMAGE_SUFFIXES]
    if not images:
        seen = f" (it holds {len(others)} other files and {len(folders)} folders)" if others or folders else ""
        raise DataError(
            f"class folder {folder} has no images{seen}; "
            f"add images ({', '.join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))}) or move the folder away."
        )
    where = f"{folder.parent.name}/{folder.name}"
    report += [f"{where}: {len(others)} files that are not images skipped ({others[0]} …)"] if others else []
    report += [f"{where}: {len(folders)} folders inside a class skipped ({folders[0]} …)"] if folders else []
    return images
