"""Decoding: from files or arrays to uint8 ``[3, S, S]``, in threads, with every unreadable file named."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from tqdm.auto import tqdm

from fd2lib.data.listing import Remarks, SplitListing
from fd2lib.data.picture import READERS, UNREADABLE, opened, upright_rgb
from fd2lib.ground import DataError

CHUNK = 256  # images decoded before any is handed on: bounds memory when streaming
THREADS = min(8, os.cpu_count() or 1)
PROGRESS_FROM = 500  # images; fewer decode faster than a bar is worth


class Picture(NamedTuple):
    """A decoded image, uint8 ``[3, S, S]``, and remarks on what was decided for it."""

    pixels: Tensor
    remarks: Sequence[str] = ()


def warp(image: Image.Image, size: int, crop_bottom: int = 0) -> Tensor:
    """Return an RGB image as uint8 ``[3, size, size]``: whole, warped bilinearly with antialiasing."""
    if crop_bottom:
        image = image.crop((0, 0, image.width, max(1, image.height - crop_bottom)))
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


@dataclass(frozen=True, eq=False)
class ImageLoader:
    """Reads one image of a split: ``loader(index)`` gives uint8 ``[3, size, size]``. Travels to worker processes."""

    files: SplitListing
    size: int

    def __len__(self) -> int:
        return len(self.files)

    def __call__(self, index: int) -> Tensor:
        """Decode and warp the image at ``index``; DataError where it is missing or unreadable."""
        return self.read(index).pixels

    def read(self, index: int) -> Picture:
        """Return what calling gives, and remarks."""
        if self.files.pixels is not None:
            return Picture(warp(Image.fromarray(self.files.pixels[index]), self.size))
        path = self.files.paths[index]
        try:
            with opened(path) as stored:
                image, remarks = upright_rgb(stored)
            return Picture(warp(image, self.size, self.files.crop_bottom), remarks)
        except UNREADABLE as error:
            raise DataError(
                f"cannot read image {path} ({_reason(error)}); replace it or move it out of the class folder."
            ) from error


def decode(
    loader: ImageLoader, remarks: Remarks, *, progress: bool = True, what: str = "images"
) -> Iterator[tuple[int, Tensor]]:
    """Yield (index of the first image, uint8 ``[n, 3, S, S]``) over a split, in order, filling ``remarks``.

    Unreadable images raise DataError after the whole split was tried, naming how many there are.
    """
    errors: list[DataError] = []
    # None leaves the choice to tqdm: no bar where standard error is not a terminal.
    disable = None if progress and len(loader) >= PROGRESS_FROM else True
    bar = tqdm(total=len(loader), desc=f"reading {what}", unit="image", disable=disable)
    with ThreadPoolExecutor(THREADS) as pool, bar:
        for start in range(0, len(loader), CHUNK):
            found = list(pool.map(partial(_attempt, loader), range(start, min(start + CHUNK, len(loader)))))
            bar.update(len(found))
            errors += [item for item in found if isinstance(item, DataError)]
            pictures = [item for item in found if isinstance(item, Picture)]
            for name, picture in zip(loader.files.names[start:], pictures, strict=False):
                remarks.add(what.split()[0], name, picture.remarks)
            if not errors:
                yield start, torch.stack([picture.pixels for picture in pictures])
    if len(errors) == 1:
        raise errors[0]
    if errors:
        first = min(str(error) for error in errors)
        raise DataError(f"{len(errors)} of {len(loader)} {what} are unreadable, among them: {first}")


def unreadable(files: SplitListing) -> list[DataError]:
    """Return what is wrong with every file of a split that cannot be decoded."""
    loader = ImageLoader(files, 8)
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(partial(_attempt, loader), range(len(files)))
        return [error for error in found if isinstance(error, DataError)]


def _attempt(loader: ImageLoader, index: int) -> Picture | DataError:
    try:
        return loader.read(index)
    except DataError as error:
        return error


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "it may not be read: permission denied"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a kind that is read: {', '.join(READERS)}"
    reason = getattr(error, "strerror", "") or str(error)
    return " ".join(reason.split()) or type(error).__name__
