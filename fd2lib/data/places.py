"""Where image sets lie below a root, the names of one's own for them, and whether files changed; none is read here."""

import contextlib
import os
import unicodedata
from pathlib import Path
from typing import NamedTuple

from fd2lib.data.registry import Reader, get_reader
from fd2lib.ground import UNPRINTABLE, DataError, SettingError
from fd2lib.ground.paths import folder_state


def image_set_name(dataset: str, root: str | Path, given: str) -> str:
    """Return the name of one's own for images: the one given, else the folder's where the root is the set, else theirs.

    Raises:
        SettingError: it is no name, or no such set is registered.
    """
    reader = get_reader(dataset)
    own = os.path.basename(os.path.realpath(data_root(reader.info.name, root))) if reader.in_root and not given else ""
    name = given or own or reader.info.name
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in name) or not 1 <= len(name.strip()) <= 100:
        whose = "image_set" if given else "the folder's name"
        raise SettingError(
            f"{whose} is {name!r}; expected 1 to 100 characters of one line. Name the images otherwise with image_set."
        )
    return name.strip()


class Place(NamedTuple):
    """Where a set lies: its own folder, and whether that holds class folders or is as the authors' archive unpacks."""

    path: Path
    class_folders: bool


def data_root(name: str, root: str | Path) -> Path:
    """Return ``root``, or where it is empty the environment's ``FD2LIB_DATA_ROOT``; one must be given."""
    text = str(root) or os.environ.get("FD2LIB_DATA_ROOT", "")
    if not text:
        raise DataError(f"data set {name!r} needs a root folder; pass root=FOLDER or set FD2LIB_DATA_ROOT.")
    if "\0" in text:
        raise DataError(f"data root {text!r} holds a null byte; pass the path of a folder.")
    return Path(os.path.expanduser(text))


def locate(reader: Reader, root: Path) -> Place | None:
    """Return where a registered set lies below ``root``, or at ``root`` itself; ``None`` if nowhere."""
    name = reader.info.name
    if reader.in_root:
        return Place(root, reader.read is None)
    for folder in (root / name, *([root] if root.name == name else [])):
        if os.path.isdir(folder / "train"):
            return Place(folder, True)
    for unpacked in reader.unpacked:
        for base in (root / name, root, *([root.parent] if root.name == unpacked else [])):
            if os.path.isdir(base / unpacked):
                return Place(base / unpacked, reader.read is None)
    return None


def images_state(dataset: str, root: str | Path) -> str:
    """Return :func:`fd2lib.ground.paths.folder_state` of where a set lies; nothing for sets that the library draws.

    All below the root counts where the set lies nowhere there, or is one that only its user's code knows.
    """
    if not root and not os.environ.get("FD2LIB_DATA_ROOT"):
        return ""
    place, below = None, data_root(dataset, root)
    with contextlib.suppress(SettingError):
        reader = get_reader(dataset)
        if reader.info.embedded:
            return ""
        place = locate(reader, below)
    return folder_state(place.path if place else below)
