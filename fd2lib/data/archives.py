"""Archives as their authors lay them out, listed and downloaded by torchvision where it knows them."""

import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import cub
from fd2lib.data.folder import scan_folder
from fd2lib.data.listing import Listing, SplitListing, sorted_split
from fd2lib.data.registry import dataset_info
from fd2lib.ground import DataError

# WordNet ids of the class folders of ImageNette and ImageWoof.
WNIDS = {
    "n01440764": "tench",
    "n02102040": "English_springer",
    "n02979186": "cassette_player",
    "n03000684": "chain_saw",
    "n03028079": "church",
    "n03394916": "French_horn",
    "n03417042": "garbage_truck",
    "n03425413": "gas_pump",
    "n03445777": "golf_ball",
    "n03888257": "parachute",
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian_ridgeback",
    "n02088364": "beagle",
    "n02089973": "English_foxhound",
    "n02093754": "Border_terrier",
    "n02096294": "Australian_terrier",
    "n02099601": "golden_retriever",
    "n02105641": "Old_English_sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}

# The authors ask users to remove the strip with the photographer's name before training.
AIRCRAFT_BANNER = 20  # rows

_CUB = ("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz", "97eceeb196236b17998738112f37df78")
_WOOF = ("https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-320.tgz", "af65be7963816efa949fa3c3b4947740")

# What torchvision raises for archives that are missing, damaged or cannot be fetched.
_TROUBLE = (RuntimeError, OSError, KeyError, ValueError, IndexError, ImportError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Archive:
    """Where a set's archive unpacks to and how it is listed.

    Attributes:
        folders: names of the unpacked folder, the preferred one first.
        read: ``read(base, folder, download)`` lists ``base/folder``, fetching it first when asked.
        fetched: which of the folders a download gives; empty where there is none.
    """

    folders: tuple[str, ...]
    read: Callable[[Path, str, bool], Listing]
    fetched: str = ""


def rename_wnid(folder: str) -> str:
    """Return the class name for a folder named by a known WordNet id, any other name as it is."""
    return WNIDS.get(folder, folder)


def read_archive(name: str, base: Path, folder: str, *, download: bool = False) -> Listing:
    """List the archive of a registered set.

    Raises:
        DataError: it is incomplete or damaged, or could not be fetched.
    """
    try:
        return ARCHIVES[name].read(base, folder, download)
    except _TROUBLE as error:
        info = dataset_info(name)
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = f"fetch it from {info.source} by hand" if download else "unpack the whole archive there again"
        raise DataError(f"cannot read {info.title} in {base / folder} ({reason}); {remedy}.") from error


def _torchvision() -> Any:
    # Importing it takes seconds, and class folders do without.
    from torchvision import datasets

    return datasets


def _fetch(base: Path, address: str, md5: str) -> None:
    _torchvision().utils.download_and_extract_archive(address, str(base), md5=md5)


def _cub(base: Path, folder: str, download: bool) -> Listing:
    if download:
        _fetch(base, *_CUB)
    return cub.list_cub(base / folder)


def _imagenette(base: Path, folder: str, download: bool) -> Listing:
    if download:
        _torchvision().Imagenette(base, size="320px", download=True)
    return scan_folder(base / folder, rename_wnid)


def _imagewoof(base: Path, folder: str, download: bool) -> Listing:
    if download:
        _fetch(base, *_WOOF)
    return scan_folder(base / folder, rename_wnid)


def _aircraft(base: Path, folder: str, download: bool) -> Listing:
    splits = {
        split: _torchvision().FGVCAircraft(base, split=official, loader=str, download=download)
        for split, official in (("train", "trainval"), ("test", "test"))
    }
    remark = f"the lowest {AIRCRAFT_BANNER} rows of each image, a copyright strip, are cut off as the authors ask"
    return _listing(splits["train"].classes, splits["train"], splits["test"], (remark,), crop_bottom=AIRCRAFT_BANNER)


def _cars(base: Path, folder: str, download: bool) -> Listing:
    train, test = (_torchvision().StanfordCars(base, split=split, loader=str) for split in ("train", "test"))
    return _listing(train.classes, train, test)


def _flowers(base: Path, folder: str, download: bool) -> Listing:
    kind = _torchvision().Flowers102
    train, extra, test = (kind(base, split, loader=str, download=download) for split in ("train", "val", "test"))
    # Numbered, so that classes sort in label order, as in class folders.
    classes = [f"{i:03d}.{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}" for i, name in enumerate(train.classes, 1)]
    return _listing(classes, [*_pairs(train), *_pairs(extra)], test)


def _cifar(kind: str) -> Callable[[Path, str, bool], Listing]:
    def read(base: Path, folder: str, download: bool) -> Listing:
        splits = {}
        for split in ("train", "test"):
            found = getattr(_torchvision(), kind)(base, train=split == "train", download=download)
            names = tuple(f"{split}/{index:05d}" for index in range(len(found.targets)))
            splits[split] = SplitListing(names, tuple(found.targets), pixels=found.data)
        return Listing(tuple(found.classes), splits["train"], splits["test"])

    return read


def _listing(classes: Sequence[str], train: Any, test: Any, report: tuple[str, ...] = (), **extra: Any) -> Listing:
    # F/A-18 and the like: class names become folder names later.
    names = tuple(re.sub(r"[/\\]", "-", name) for name in classes)
    splits = [
        sorted_split(split, [(int(label), Path(path).name, path) for path, label in _pairs(source)], names, **extra)
        for split, source in (("train", train), ("test", test))
    ]
    return Listing(names, *splits, report)


def _pairs(source: Any) -> list[tuple[str, int]]:
    """(path, label) of each image of a torchvision set whose ``loader`` is ``str``."""
    return [source[index] for index in range(len(source))]


ARCHIVES: dict[str, Archive] = {
    "cub200": Archive((cub.FOLDER,), _cub, cub.FOLDER),
    "aircraft": Archive(("fgvc-aircraft-2013b",), _aircraft, "fgvc-aircraft-2013b"),
    "cars196": Archive(("stanford_cars",), _cars),
    "flowers102": Archive(("flowers-102",), _flowers, "flowers-102"),
    "cifar10": Archive(("cifar-10-batches-py",), _cifar("CIFAR10"), "cifar-10-batches-py"),
    "cifar100": Archive(("cifar-100-python",), _cifar("CIFAR100"), "cifar-100-python"),
    "imagenette": Archive(("imagenette2", "imagenette2-320", "imagenette2-160"), _imagenette, "imagenette2-320"),
    "imagewoof": Archive(("imagewoof2", "imagewoof2-320", "imagewoof2-160"), _imagewoof, "imagewoof2-320"),
}
