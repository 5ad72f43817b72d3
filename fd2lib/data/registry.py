"""The registry: every image set that can be loaded by name, each declared by one call of :func:`register_reader`."""

import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fd2lib.data.listing import Listing
from fd2lib.ground import SettingError, unknown

RESEARCH = "non-commercial research and education"  # terms of several sets


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """Facts about a registered set; numbers are those of the complete official set, 0 where the user decides."""

    name: str
    title: str
    num_classes: int = 0
    train_images: int = 0
    test_images: int = 0
    native_size: str  # pixels, in words
    split: str  # where the split comes from
    licence: str  # licence or terms of use
    source: str  # address
    citation: str = ""
    layout: str  # folders that are read, below the root
    embedded: bool = False  # drawn by the library, no files needed; set by register_reader
    downloadable: bool = False  # ``load_dataset(..., download=True)`` fetches it; set by register_reader


@dataclass(frozen=True, eq=False)
class Reader:
    """How a set is found, listed and described.

    Class folders ``ROOT/NAME/{train,test}/CLASS/IMAGE`` are read without more; they come first, then ``unpacked``.

    Attributes:
        info: the facts.
        card: what a user should know besides the facts, in MyST Markdown without headings: the reader's docstring.
        read: lists an unpacked archive, given its folder; ``None`` where that holds class folders too.
        unpacked: names of the folder that the authors' archive unpacks to, the preferred one first.
        class_names: names of the classes whose folders are called otherwise.
        subsets: names of the classes of subsets that have a name, which ``classes`` can ask for.
        download: fetches the archive and unpacks it into the root that it is given.
        draw: ``draw(size, classes, seed, train_per_class, test_per_class)`` makes the set; nothing is read.
        in_root: the root is the set's own folder.
        packs: SHA-256 of the tars that :func:`fd2lib.data.prepare` unpacks, by what follows the name: ``train.tar``.
        file: where the reader is registered; set by :func:`register_reader`.
    """

    info: DatasetInfo
    card: str | None  # None where Python strips docstrings
    read: Callable[[Path], Listing] | None = None
    unpacked: tuple[str, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)
    subsets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    download: Callable[[Path], None] | None = None
    draw: Callable[[int, str, int, int, int], Listing] | None = None
    in_root: bool = False
    packs: Mapping[str, str] = field(default_factory=dict)
    file: str = ""


_READERS: dict[str, Reader] = {}


def register_reader(reader: Reader) -> None:
    """Make an image set known: from here on it is listed, loaded, described and exported like any other.

    Raises:
        SettingError: a name that is taken or cannot name a folder, or facts that say nothing.
    """
    info, file = reader.info, sys._getframe(1).f_code.co_filename
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", info.name):
        raise SettingError(
            f"{file} registers {info.name!r}; expected letters, digits, '_', '-' or '.', as in 'cub200'."
        )
    if info.name in _READERS:
        raise SettingError(
            f"the image set {info.name!r} is registered twice: by {_READERS[info.name].file} and by {file}; "
            "give one of them another name."
        )
    if empty := [name for name in ("title", "licence", "layout") if not getattr(info, name).strip()]:
        raise SettingError(
            f"{file} registers {info.name!r} with no {', '.join(empty)}; say it, if only that it is unknown."
        )
    info = replace(info, embedded=reader.draw is not None, downloadable=reader.download is not None)
    _READERS[info.name] = replace(reader, info=info, file=file)


def differences(info: DatasetInfo, listing: Listing) -> str:
    """Return in which numbers a listing is not the official set, such as ``2 of 200 classes``; empty where in none."""
    pairs = (
        ("classes", info.num_classes, len(listing.classes)),
        ("training images", info.train_images, len(listing.train)),
        ("test images", info.test_images, len(listing.test)),
    )
    wrong = [f"{seen:,} of {official:,} {what}" for what, official, seen in pairs if official and seen != official]
    return ", ".join(wrong)


def torchvision_set(kind: str, *args: Any, **options: Any) -> Any:
    """Make one of torchvision's data sets. Only then is torchvision imported, which takes seconds."""
    return getattr(importlib.import_module("torchvision.datasets"), kind)(*args, **options)


def fetch_archive(address: str, md5: str, root: Path) -> None:
    """Download an archive and unpack it into ``root``."""
    importlib.import_module("torchvision.datasets.utils").download_and_extract_archive(address, str(root), md5=md5)


def get_reader(name: str) -> Reader:
    """Return the reader of one set; of an unknown one SettingError is raised."""
    if name not in _READERS:
        raise SettingError(unknown("data set", name, _READERS))
    return _READERS[name]


def list_datasets() -> dict[str, DatasetInfo]:
    """Return the facts of every registered set, by name, the embedded set first."""
    return {name: reader.info for name, reader in _READERS.items()}


def dataset_info(name: str) -> DatasetInfo:
    """Return the facts of one set; of an unknown one SettingError is raised."""
    return get_reader(name).info


def format_listing() -> str:
    """Return every set as text for a terminal: a table of numbers, then split, terms, source and layout of each."""
    infos = list_datasets().values()
    rows = [["name", "title", "classes", "train", "test", "pixels"]]
    for info in infos:
        numbers = [f"{n:,}" if n else "yours" for n in (info.num_classes, info.train_images, info.test_images)]
        rows.append([info.name, info.title, *numbers, info.native_size])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    line = "  ".join(f"{{:{side}{width}}}" for side, width in zip("<<>>><", widths, strict=True))
    lines = [line.format(*row).rstrip() for row in rows]
    for info in infos:
        how = "embedded" if info.embedded else "download=True" if info.downloadable else "bring the files"
        lines += ["", f"{info.name} ({how})", f"  split    {info.split}", f"  licence  {info.licence}"]
        lines += [f"  source   {info.source}", f"  cite     {info.citation or '-'}", f"  layout   {info.layout}"]
    return "\n".join(lines)


def format_card(name: str) -> str:
    """Return the data card of one set as MyST Markdown: its title as heading, a table of its facts, then its card."""
    reader, info = get_reader(name), dataset_info(name)
    how = "the library can fetch it" if info.downloadable else "bring the files"
    images = f"{info.train_images:,} training, {info.test_images:,} test; pixels: {info.native_size}"
    facts = {
        "name": f"`{info.name}`" + (", comes with the library" if info.embedded else ""),
        "classes": f"{info.num_classes:,}" if info.num_classes else "",
        "images": images if info.train_images else f"pixels: {info.native_size}",
        "split": info.split,
        "terms": info.licence,
        "source": re.sub(r"https?://\S+", r"<\g<0>>", info.source) + ("" if info.embedded else f"; {how}"),
        "cite": info.citation,
        "layout": "" if info.embedded else f"`{info.layout}`",
    }
    rows = ["| {} | {} |".format(fact, text.replace("|", r"\|")) for fact, text in facts.items() if text]
    return "\n".join([f"# {info.title}", "", "| | |", "|---|---|", *rows, "", (reader.card or "").strip(), ""])
