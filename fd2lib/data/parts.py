"""Part locations and boxes of CUB-200-2011, in the pixels of the warped images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fd2lib.data.images import Dataset
from fd2lib.data.picture import opened
from fd2lib.data.places import data_root, locate
from fd2lib.data.readers.cub200 import read_table
from fd2lib.data.registry import get_reader
from fd2lib.ground import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SplitParts:
    """Annotations of one split, in the order of its images; coordinates run from 0 to S, x to the right, y down.

    Attributes:
        locations: float32 ``[N, P, 2]``, (x, y) of each part; 0 where it is not visible.
        visible: bool ``[N, P]``.
        boxes: float32 ``[N, 4]``, (x0, y0, x1, y1) around the bird, clipped to the image.
    """

    locations: Tensor
    visible: Tensor
    boxes: Tensor


@dataclass(frozen=True, eq=False)
class Parts:
    """Part names, and the annotations of both splits."""

    names: tuple[str, ...]
    train: SplitParts
    test: SplitParts


def load_parts(root: str | Path, dataset: Dataset) -> Parts:
    """Return the part locations, their visibility and the boxes of ``cub200``, or a subset, loaded from ``root``.

    Raises:
        DataError: another data set, or annotations that are missing or damaged.
    """
    if dataset.name != "cub200":
        raise DataError(f"part locations are known for cub200, not for {dataset.name!r}; load cub200.")
    root = data_root(dataset.name, root)
    place = locate(get_reader("cub200"), root)
    if place is None:
        raise DataError(f"no cub200 under {root}; pass the root it was loaded from.")
    folder, suffix = (place.path / "metadata", "_128") if place.class_folders else (place.path, "")
    files, names = read_table(folder / "images.txt"), read_table(folder / "parts" / "parts.txt")
    points = _numbers(folder / "parts" / f"part_locs{suffix}.txt", by=(0, 1))
    boxes = _numbers(folder / f"bounding_boxes{suffix}.txt", by=(0,))
    if len(points) != len(files) * len(names) or len(boxes) != len(files):
        raise DataError(
            f"{folder} has {len(points)} part locations and {len(boxes)} boxes for {len(files)} images; "
            f"expected {len(names)} parts and 1 box each. Unpack it again."
        )
    rows = {files[number]: row for row, number in enumerate(sorted(files))}
    locations = points.reshape(len(files), len(names), 5)[..., 2:]

    def annotate(images: Sequence[str]) -> SplitParts:
        keys = [image.split("/", 1)[1] for image in images]
        if unknown := [key for key in keys if key not in rows]:
            raise DataError(
                f"{len(unknown)} images have no annotations in {folder}, the first is {unknown[0]}; "
                "pass the root that the data set was loaded from."
            )
        at = [rows[key] for key in keys]
        stored = images if place.class_folders else [f"images/{key}" for key in keys]
        return _scaled(locations[at], boxes[at, 1:], _sizes([place.path / file for file in stored]), dataset.image_size)

    parts = tuple(names[number] for number in sorted(names))
    return Parts(parts, annotate(dataset.train.names), annotate(dataset.test.names))


def _scaled(locations: Floats, boxes: Floats, sizes: Floats, side: int) -> SplitParts:
    """From stored pixels of images of ``sizes [N, 2]`` (width, height) to those of side × side."""
    visible = locations[..., 2] > 0
    scale = side / sizes  # [N, 2]
    # Just below the side, so that rounding down always gives a pixel.
    points = (locations[..., :2] * scale[:, None]).clip(0, np.nextafter(np.float32(side), np.float32(0)))
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    corners = (corners * np.tile(scale, 2)).clip(0, side)
    return SplitParts(
        torch.from_numpy((points * visible[..., None]).astype(np.float32)),
        torch.from_numpy(visible),
        torch.from_numpy(corners.astype(np.float32)),
    )


def _numbers(path: Path, by: tuple[int, ...]) -> Floats:
    """Read a table of five numbers a line, sorted by the columns ``by``."""
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2, comments="#")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({' '.join(str(error).split())}); unpack the set again.") from error
    if table.shape[1] != 5:
        raise DataError(f"{path} has {table.shape[1]} columns; expected 5. Unpack the set again.")
    return table[np.lexsort([table[:, column] for column in reversed(by)])]


def _sizes(paths: Sequence[Path]) -> Floats:
    sizes = []
    for path in paths:
        try:
            with opened(path) as image:
                sizes.append(image.size)
        except OSError as error:
            raise DataError(f"cannot read the size of {path} ({error}); unpack the archive again.") from error
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)
