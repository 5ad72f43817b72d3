"""Part locations and boxes of CUB-200-2011, in the pixels of the warped images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fd2lib.data.find import data_root, locate
from fd2lib.data.readers.cub200 import read_table
from fd2lib.data.registry import get_reader
from fd2lib.data.types import Dataset
from fd2lib.ground import DataError


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


@dataclass(frozen=True)
class _Tables:
    """Annotations by image number, in the pixels of the stored images."""

    numbers: dict[str, int]  # CLASS/FILE -> image number
    names: tuple[str, ...]
    locations: np.ndarray  # [highest number + 1, P, 3]: x, y, visible
    boxes: np.ndarray  # [highest number + 1, 4]: x, y, width, height


def load_parts(root: str | Path, dataset: Dataset) -> Parts:
    """Return the part locations, their visibility and the boxes of a loaded ``cub200``.

    Args:
        root: the root that the data set was loaded from.
        dataset: the set, or any subset of it, at any size.

    Raises:
        DataError: another data set, or annotations that are missing or damaged.
    """
    if dataset.name != "cub200":
        raise DataError(f"part locations are known for cub200, not for {dataset.name!r}; load cub200.")
    root = data_root(dataset.name, root)
    place = locate(get_reader("cub200"), root)
    if place is None:
        raise DataError(f"no cub200 under {root}; pass the root it was loaded from.")
    pack = place.class_folders
    folder = place.path / "metadata" if pack else place.path
    tables = _read_tables(folder, "_128" if pack else "")
    sizes = _pack_sizes(folder) if pack else None

    def annotate(names: Sequence[str]) -> SplitParts:
        keys = [name.split("/", 1)[1] for name in names]
        unknown = [key for key in keys if key not in tables.numbers]
        if unknown:
            raise DataError(
                f"{len(unknown)} images have no annotations in {folder}, the first is {unknown[0]}; "
                "pass the root that the data set was loaded from."
            )
        numbers = np.array([tables.numbers[key] for key in keys])
        size = sizes[numbers] if sizes is not None else _file_sizes([place.path / "images" / key for key in keys])
        return _scaled(tables.locations[numbers], tables.boxes[numbers], size, dataset.image_size)

    return Parts(tables.names, annotate(dataset.train.names), annotate(dataset.test.names))


def _scaled(locations: np.ndarray, boxes: np.ndarray, sizes: np.ndarray, side: int) -> SplitParts:
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


def _read_tables(folder: Path, suffix: str) -> _Tables:
    files = read_table(folder / "images.txt")
    names = read_table(folder / "parts" / "parts.txt")
    points = _numbers(folder / "parts" / f"part_locs{suffix}.txt", 5)
    rows = _numbers(folder / f"bounding_boxes{suffix}.txt", 5)
    highest = max(files)
    if len(points) != len(files) * len(names) or len(rows) != len(files):
        raise DataError(
            f"{folder} has {len(points)} part locations and {len(rows)} boxes for {len(files)} images; "
            f"expected {len(names)} parts and 1 box each. Unpack it again."
        )
    locations = np.zeros((highest + 1, max(names) + 1, 3))
    locations[points[:, 0].astype(int), points[:, 1].astype(int)] = points[:, 2:]
    boxes = np.zeros((highest + 1, 4))
    boxes[rows[:, 0].astype(int)] = rows[:, 1:]
    order = sorted(names)
    return _Tables(
        numbers={file: number for number, file in files.items()},
        names=tuple(names[number] for number in order),
        locations=locations[:, order],
        boxes=boxes,
    )


def _numbers(path: Path, columns: int) -> np.ndarray:
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2, comments="#")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({' '.join(str(error).split())}); unpack the set again.") from error
    if table.shape[1] != columns:
        raise DataError(f"{path} has {table.shape[1]} columns; expected {columns}. Unpack the set again.")
    return table


def _pack_sizes(folder: Path) -> np.ndarray:
    """Width and height of each stored image of the pack, by image number."""
    table = _numbers(folder / "image_sizes.txt", 5)
    sizes = np.ones((int(table[:, 0].max()) + 1, 2))
    sizes[table[:, 0].astype(int)] = table[:, 3:]
    return sizes


def _file_sizes(paths: Sequence[Path]) -> np.ndarray:
    """Width and height of each file, from its header."""
    sizes = []
    for path in paths:
        try:
            with Image.open(path) as image:
                sizes.append(image.size)
        except OSError as error:
            raise DataError(f"cannot read the size of {path} ({error}); unpack the archive again.") from error
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)
