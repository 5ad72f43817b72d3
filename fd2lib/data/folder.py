"""Folders of class folders: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fd2lib.data.decode import unreadable
from fd2lib.data.listing import Listing, Remarks, make_listing
from fd2lib.data.picture import FORMATS
from fd2lib.ground import DataError

IMAGE_SUFFIXES = frozenset(FORMATS)
PROBLEM = "problem: "  # how a fault begins among remarks
LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"})  # of file managers and servers


def scan_folder(folder: str | Path, class_names: Mapping[str, str] | None = None) -> Listing:
    """List ``folder/train`` and ``folder/test`` (``val`` where there is no ``test``).

    Class folders in text order give the labels, and both splits must have the same ones. Hidden files and the litter
    of file managers are ignored; what else is no image, and folders inside class folders, are passed over with a
    warning. ``class_names`` names classes whose folders are called otherwise; the order stays that of the folders.

    Raises:
        DataError: a missing folder, no classes, classes that differ between the splits, an empty class; the first of
            these, and how many there are.
    """
    listing, faults = _survey(Path(folder), class_names or {})
    if faults or listing is None:
        others = f" {len(faults) - 1} more: `fd2lib data check {folder}` lists all." if len(faults) > 1 else ""
        raise DataError(faults[0] + others)
    return listing


def check_folder(folder: str | Path, *, decode: bool = True) -> tuple[str, ...]:
    """Say what is in a folder with ``train`` and ``test``, and all that is wrong where, raising nothing.

    One remark per line; problems start with ``problem:``. Unless told not to, each image is decoded, to find unreadable
    ones.
    """
    listing, faults = _survey(Path(folder), {})
    lines = [f"{PROBLEM}{fault}" for fault in faults]
    if listing is None:
        return tuple(lines)
    lines = [*listing.summary(), *listing.report, *listing.warnings, *lines]
    for split, files in listing.splits().items() if decode else ():
        lines += [f"{PROBLEM}{split}: {error}" for error in unreadable(files)]
    return tuple(lines)


@dataclass
class _Seen:
    """What a look at folders gathers besides images: faults, and what is passed over, by split and reason."""

    faults: list[str] = field(default_factory=list)
    passed: Remarks = field(default_factory=Remarks)

    def inside(self, folder: Path) -> list[Path]:
        """What a folder holds, in text order, without hidden files and litter; an unreadable one is a fault."""
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            self.faults.append(f"cannot look into {folder} ({_reason(error)}); {_remedy(error)}.")
            return []
        return [path for path in found if not path.name.startswith(".") and path.name.lower() not in LITTER]

    def pass_over(self, root: Path, what: str, paths: list[Path]) -> None:
        """Note files or folders that are not read."""
        for path in paths:
            name = path.relative_to(root)
            self.passed.add(name.parts[0], name.as_posix(), [f"passed over {what}"])


def _survey(folder: Path, class_names: Mapping[str, str]) -> tuple[Listing | None, list[str]]:
    """List what can be listed, and say everything that is wrong; ``None`` where there is nothing to list."""
    seen = _Seen()
    if not os.path.isdir(folder):
        what = f"{folder} is a file" if os.path.exists(folder) else f"no folder {folder}"
        return None, [f"{what}; expected a folder that holds train/ and test/ with one folder per class."]
    top = {path.name for path in seen.inside(folder) if os.path.isdir(path)}
    if seen.faults:
        return None, seen.faults
    test_name = "val" if "val" in top and "test" not in top else "test"
    classes = {name: _class_folders(folder / name, seen) for name in ("train", test_name)}
    keys = sorted({path.name for paths in classes.values() for path in paths})
    if all(classes.values()):
        train, test = ([path.name for path in paths] for paths in classes.values())
        _same_classes(folder, train, test, test_name, seen)
    report = [f"{folder.name}/val is used as the test split"] if test_name == "val" else []
    # Numbers without leading zeros sort as text, which gives labels that their owner may not expect.
    if len(keys) > 1 and all(key.isdecimal() for key in keys) and keys != sorted(keys, key=int):
        report += [f"class folders sort as text, so {keys[1]} comes second; pad numbers with zeros for another order"]
    number = {key: label for label, key in enumerate(keys)}
    splits = [
        [(image, number[one.name]) for one in paths for image in _images(one, seen)] for paths in classes.values()
    ]
    names = [class_names.get(key, key) for key in keys]
    unused = [f"{folder.name}/val is not used, as there is {folder.name}/test"] if {"test", "val"} <= top else []
    warnings = [*unused, *seen.passed.lines()]
    try:
        listing = make_listing(names, *splits, report=report, warnings=warnings) if keys else None
    except DataError as error:
        return None, [*seen.faults, str(error)]
    return listing, seen.faults


def _class_folders(split: Path, seen: _Seen) -> list[Path]:
    if not os.path.isdir(split):
        what = f"{split} is a file" if os.path.exists(split) else f"no folder {split}"
        seen.faults.append(f"{what}; expected {split.name}/ with one folder of images per class.")
        return []
    before = len(seen.faults)
    inside = seen.inside(split)
    found = [path for path in inside if os.path.isdir(path)]
    seen.pass_over(split.parent, "files beside class folders", [path for path in inside if path not in set(found)])
    if not found and len(seen.faults) == before:
        seen.faults.append(f"{split} holds no class folders; expected {split.name}/<class>/<image>.")
    return found


def _same_classes(folder: Path, train: list[str], test: list[str], test_name: str, seen: _Seen) -> None:
    only = {"train": sorted(set(train) - set(test)), test_name: sorted(set(test) - set(train))}
    differences = [
        f"{len(names)} only in {split}/ ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"
        for split, names in only.items()
        if names
    ]
    if differences:
        seen.faults.append(
            f"{folder}: train/ has {len(train)} classes and {test_name}/ {len(test)}, {' and '.join(differences)}; "
            "both need the same class folders, so add or move away the odd ones."
        )


def _images(folder: Path, seen: _Seen) -> list[Path]:
    """Image files of a class folder; everything else in it is noted."""
    before = len(seen.faults)
    inside = seen.inside(folder)
    folders = [path for path in inside if os.path.isdir(path)]
    files = [path for path in inside if path not in set(folders)]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    others = [path for path in files if path.suffix.lower() not in IMAGE_SUFFIXES]
    known = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    if not images and len(seen.faults) == before:
        held = f" (it holds {len(others)} other files and {len(folders)} folders)" if others or folders else ""
        seen.faults.append(f"class folder {folder} has no images{held}; add images ({known}) or move the folder away.")
    root = folder.parent.parent
    seen.pass_over(root, f"files that do not end in {known}", others)
    deeper = {folder: _images_below(folder) for folder in folders}
    seen.pass_over(root, "images deeper than their class folder", [path for found in deeper.values() for path in found])
    seen.pass_over(root, "folders inside class folders", [folder for folder, found in deeper.items() if not found])
    return images


def _images_below(folder: Path) -> list[Path]:
    """Image files at any depth, for their number; what cannot be looked into counts as empty."""
    names = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return sorted(path for path in names if path.suffix.lower() in IMAGE_SUFFIXES)


def _reason(error: OSError) -> str:
    return "permission denied" if isinstance(error, PermissionError) else error.strerror or type(error).__name__


def _remedy(error: OSError) -> str:
    return "allow reading it, or move it away" if isinstance(error, PermissionError) else "check the disk"
