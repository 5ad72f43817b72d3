"""A listing: which files (or arrays) make up a data set, before any pixel is decoded."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fd2lib.ground import DataError


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
    pixels: np.ndarray | None = None
    crop_bottom: int = 0

    def __len__(self) -> int:
        return len(self.names)

    def keep(self, indices: Sequence[int], relabel: dict[int, int] | None = None) -> "SplitListing":
        """Return the images at ``indices``, their labels mapped through ``relabel``."""
        labels = [self.labels[i] for i in indices]
        return replace(
            self,
            names=tuple(self.names[i] for i in indices),
            labels=tuple(labels if relabel is None else [relabel[label] for label in labels]),
            paths=tuple(self.paths[i] for i in indices) if self.paths else (),
            pixels=None if self.pixels is None else self.pixels[list(indices)],
        )

    def stamps(self) -> list[tuple[str, int, int]]:
        """Return (name, bytes, modification time in ns) of every file.

        Raises:
            DataError: files that a list names are not there.
        """
        stamps, missing = [], []
        for name, path in zip(self.names, self.paths, strict=bool(self.paths)):
            try:
                status = os.stat(path)
            except OSError:
                missing.append(path)
                continue
            stamps.append((name, status.st_size, status.st_mtime_ns))
        if missing:
            raise DataError(
                f"{len(missing)} of {len(self.paths)} listed images are missing, the first is {missing[0]}; "
                "unpack the archive again, completely."
            )
        return stamps


@dataclass(frozen=True, eq=False)
class Listing:
    """Both splits of a data set and its classes, in label order, with remarks made while listing."""

    classes: tuple[str, ...]
    train: SplitListing
    test: SplitListing
    report: tuple[str, ...] = ()

    def splits(self) -> tuple[tuple[str, SplitListing], tuple[str, SplitListing]]:
        """Return the two splits with their names."""
        return ("train", self.train), ("test", self.test)


def sorted_split(split: str, items: Sequence[tuple[int, str, str]], classes: Sequence[str], **extra) -> SplitListing:
    """Build a split from (label, file name, path) in the order of labels, then of file names.

    Every layout goes through here, so that the same images come in the same order and under the same names.
    """
    items = sorted(items, key=lambda item: (item[0], item[1]))
    return SplitListing(
        names=tuple(f"{split}/{classes[label]}/{file}" for label, file, _ in items),
        labels=tuple(label for label, _, _ in items),
        paths=tuple(path for _, _, path in items),
        **extra,
    )
