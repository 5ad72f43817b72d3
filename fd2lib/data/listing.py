"""A listing: which files (or arrays) make up a data set or a subset of it, before any pixel is decoded."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fd2lib.ground import DataError, one_line


@dataclass(frozen=True, eq=False)
class SplitListing:
    """Names, labels and whereabouts of one split's images, all in the same order.

    Attributes:
        names: ``train/<class>/<file>``, the same whichever layout the files lie in.
        labels: class index of each image.
        paths: the image files; empty when ``pixels`` is given.
        pixels: uint8 ``[N, H, W, 3]`` for sets that come as arrays.
        crop_bottom: rows cut off every image before it is warped.
    """

    names: tuple[str, ...]
    labels: tuple[int, ...]
    paths: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = None
    crop_bottom: int = 0

    def __len__(self) -> int:
        return len(self.names)

    def keep(self, indices: Sequence[int]) -> "SplitListing":
        """Return the images at ``indices``."""
        return replace(
            self,
            names=tuple(self.names[i] for i in indices),
            labels=tuple(self.labels[i] for i in indices),
            paths=tuple(self.paths[i] for i in indices) if self.paths else (),
            pixels=None if self.pixels is None else self.pixels[list(indices)],
        )

    def counts(self, num_classes: int) -> list[int]:
        """Return how many images each class has, in label order."""
        counts = Counter(self.labels)
        return [counts[label] for label in range(num_classes)]

    def stamps(self) -> list[tuple[str, int, int]]:
        """Return (name, bytes, modification time in ns) of every file; DataError where one is missing."""
        stamps, missing = [], []
        for name, path in zip(self.names, self.paths, strict=bool(self.paths)):
            try:
                status = os.stat(path)
                stamps.append((name, status.st_size, status.st_mtime_ns))
            except OSError:
                missing.append(path)
        if missing:
            raise DataError(
                f"{len(missing)} of {len(self.paths)} listed images are missing, the first is {missing[0]}; "
                "unpack the archive again, completely."
            )
        return stamps


@dataclass(frozen=True, eq=False)
class Listing:
    """Both splits of a data set and its classes, in label order, with remarks and warnings made while listing."""

    classes: tuple[str, ...]
    train: SplitListing
    test: SplitListing
    report: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def splits(self) -> dict[str, SplitListing]:
        """Return the two splits by name."""
        return {"train": self.train, "test": self.test}

    def summary(self) -> list[str]:
        """Return remarks on the number of classes, their order, and the images per class of each split."""
        names = [one_line(name) for name in self.classes]
        many = f"{len(names)} classes in label order: {names[0]} … {names[-1]}"
        lines = [many if len(names) > 1 else f"1 class: {names[0]}"]
        for split, files in self.splits().items():
            counts = files.counts(len(names))
            low, high = min(counts), max(counts)
            fewest = f"{low}–{high} per class, fewest in {names[counts.index(low)]}"
            lines.append(f"{split}: {len(files)} images, {fewest if low < high else f'{low} per class'}")
        return lines


class Remarks:
    """What is said of files: each thing once for a split, with how many there are and the first of them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[str]] = {}

    def add(self, split: str, name: str, remarks: Iterable[str]) -> None:
        """Note remarks on a file of a split."""
        for remark in remarks:
            self._seen.setdefault((split, remark), []).append(name)

    def lines(self) -> list[str]:
        """Return one line for each thing."""
        return [
            f"{split}: {what} ({len(names)} in all, the first is {one_line(names[0])})"
            for (split, what), names in self._seen.items()
        ]


def make_listing(
    classes: Iterable[str],
    train: Iterable[tuple[str | os.PathLike[str], int]],
    test: Iterable[tuple[str | os.PathLike[str], int]],
    *,
    report: Iterable[str] = (),
    warnings: Iterable[str] = (),
    crop_bottom: int = 0,
) -> Listing:
    """Return the listing of image files in the order of labels, then of file names.

    Every layout goes through here, so that the same images come in the same order and under the same names. A split is
    (path, label) of each image, as torchvision's sets give with ``loader=str``. Classes are in label order; a slash in
    a name becomes a hyphen. ``crop_bottom`` rows are cut off every image before it is warped.

    Raises:
        DataError: names that are no text: they were written in another encoding than UTF-8.
    """
    names = tuple(name.replace("/", "-") for name in classes)
    splits = {}
    for split, pairs in (("train", train), ("test", test)):
        items = sorted((int(label), os.path.basename(path), os.fspath(path)) for path, label in pairs)
        splits[split] = SplitListing(
            names=tuple(f"{split}/{names[label]}/{file}" for label, file, _ in items),
            labels=tuple(label for label, _, _ in items),
            paths=tuple(path for _, _, path in items),
            crop_bottom=crop_bottom,
        )
    _require_text([*names, *(name for files in splits.values() for name in files.names)])
    return Listing(names, splits["train"], splits["test"], tuple(report), tuple(warnings))


def _require_text(names: Sequence[str]) -> None:
    """Refuse names that could be written into no file; Python keeps bytes that are not UTF-8 as lone surrogates."""
    if wrong := [
        name for name in names if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name)
    ]:
        shown = wrong[0].encode("utf-8", "surrogateescape")
        raise DataError(
            f"{len(wrong)} names of folders or files are not UTF-8, the first is {shown!r}; "
            "rename them, as with convmv."
        )


def display_name(class_name: str) -> str:
    """Return a class name for people, on one line: ``159.Black_and_white_Warbler`` is ``Black and white Warbler``."""
    line = " ".join(one_line(class_name).replace("_", " ").split())
    return re.sub(r"^\d+\.\s*", "", line) or line or one_line(class_name)
