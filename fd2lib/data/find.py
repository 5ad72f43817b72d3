"""Finding a data set below a root: as class folders, or as its authors' archive unpacks."""

import os
from pathlib import Path
from typing import NamedTuple

from fd2lib.data.archives import ARCHIVES, read_archive, rename_wnid
from fd2lib.data.folder import scan_folder
from fd2lib.data.listing import Listing
from fd2lib.data.registry import dataset_info
from fd2lib.data.types import DatasetInfo
from fd2lib.ground import DataError


class Place(NamedTuple):
    """Where a set lies: ``kind`` is ``"folders"`` or ``"archive"``, ``path`` the set's own folder."""

    kind: str
    path: Path


def data_root(name: str, root: str | Path) -> Path:
    """Return ``root``, or where it is empty the environment's ``FD2LIB_DATA_ROOT``.

    Raises:
        DataError: neither is given.
    """
    text = str(root) or os.environ.get("FD2LIB_DATA_ROOT", "")
    if not text:
        raise DataError(f"data set {name!r} needs a root folder; pass root=FOLDER or set FD2LIB_DATA_ROOT.")
    return Path(text).expanduser()


def locate(name: str, root: Path) -> Place | None:
    """Return where a registered set lies below ``root``, or at ``root`` itself; ``None`` if nowhere."""
    folders = (root / name, *([root] if root.name == name else []))
    for folder in folders:
        if (folder / "train").is_dir():
            return Place("folders", folder)
    for unpacked in ARCHIVES[name].folders:
        bases = (root / name, root, *([root.parent] if root.name == unpacked else []))
        for base in bases:
            if (base / unpacked).is_dir():
                return Place("archive", base / unpacked)
    return None


def find_listing(name: str, root: str | Path, *, download: bool = False) -> Listing:
    """List a set's files.

    Raises:
        DataError: no root, nothing of the set below it, or a layout that is incomplete.
    """
    info = dataset_info(name)
    root = data_root(name, root)
    if not root.is_dir() and not download:
        raise DataError(f"data root {root} does not exist; pass the folder that holds {info.layout}.")
    if name == "folder":
        return scan_folder(root)
    place = locate(name, root)
    if place is None and download and ARCHIVES[name].fetched:
        root.mkdir(parents=True, exist_ok=True)
        return read_archive(name, root, ARCHIVES[name].fetched, download=True)
    if place is None:
        raise DataError(f"no {name} under {root}; expected {info.layout} there. {_remedy(info)}")
    if place.kind == "folders":
        return scan_folder(place.path, rename_wnid)
    return read_archive(name, place.path.parent, place.path.name)


def _remedy(info: DatasetInfo) -> str:
    prepare = f"Unpack tars with `python -m fd2lib data prepare {info.name} --from FOLDER --root ROOT`"
    fetch = "pass download=True" if info.downloadable else f"get the archive from {info.source}"
    return f"{prepare}, or {fetch}."
