"""Finding a data set below a root: as class folders, or as its authors' archive unpacks."""

import contextlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fd2lib.data.folder import scan_folder
from fd2lib.data.listing import Listing
from fd2lib.data.registry import Reader, get_reader
from fd2lib.ground import DataError

# What torchvision raises for archives that are missing, damaged or cannot be fetched.
_TROUBLE = (RuntimeError, OSError, KeyError, ValueError, IndexError, ImportError, EOFError, pickle.UnpicklingError)


class Place(NamedTuple):
    """Where a set lies: its own folder, and whether that holds class folders or is as the authors' archive unpacks."""

    path: Path
    class_folders: bool


def data_root(name: str, root: str | Path) -> Path:
    """Return ``root``, or where it is empty the environment's ``FD2LIB_DATA_ROOT``.

    Raises:
        DataError: neither is given.
    """
    text = str(root) or os.environ.get("FD2LIB_DATA_ROOT", "")
    if not text:
        raise DataError(f"data set {name!r} needs a root folder; pass root=FOLDER or set FD2LIB_DATA_ROOT.")
    return Path(text).expanduser()


def locate(reader: Reader, root: Path) -> Place | None:
    """Return where a registered set lies below ``root``, or at ``root`` itself; ``None`` if nowhere."""
    name = reader.info.name
    if reader.in_root:
        return Place(root, reader.read is None)
    for folder in (root / name, *([root] if root.name == name else [])):
        if (folder / "train").is_dir():
            return Place(folder, True)
    for unpacked in reader.unpacked:
        for base in (root / name, root, *([root.parent] if root.name == unpacked else [])):
            if (base / unpacked).is_dir():
                return Place(base / unpacked, reader.read is None)
    return None


def find_listing(name: str, root: str | Path, *, download: bool = False) -> Listing:
    """List a set's files.

    Raises:
        DataError: no root, nothing of the set below it, a layout that is incomplete, or a download that failed.
    """
    reader = get_reader(name)
    info, root = reader.info, data_root(name, root)
    if not root.is_dir() and not download:
        raise DataError(f"data root {root} does not exist; pass the folder that holds {info.layout}.")
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
    except _TROUBLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"cannot {what} ({reason}); {remedy}.") from error
