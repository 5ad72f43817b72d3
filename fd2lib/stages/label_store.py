"""Soft labels on disk: NumPy files to map, by epoch and row, in half precision or in 8 bits.

==== ======================= ============ ===========================================
bits file                    type, shape  holds
==== ======================= ============ ===========================================
16   ``teacher_logits.npy``  float16, K   logits
8    ``teacher_codes.npy``   uint8, K     codes: a logit is offset + step × code
8    ``teacher_scales.npy``  float16, 2   offset and step of each row, 4 bytes
==== ======================= ============ ===========================================

Shapes begin with ``[epochs, N]``: rows are the views of each kept epoch in the order of the plans, or, of ``fixed``
labels, one epoch of the images.
"""

import hashlib
import io
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fd2lib.ground import ArtefactError, RelabelSettings, TrainingError, cannot_write, reserve
from fd2lib.record import intact, read_manifest

LOGITS, CODES, SCALES = "teacher_logits.npy", "teacher_codes.npy", "teacher_scales.npy"
_FILES = {16: (LOGITS,), 8: (CODES, SCALES)}
_TYPES = {LOGITS: np.float16, CODES: np.uint8, SCALES: np.float16}
_TOP = 255  # the highest code
logger = logging.getLogger(__name__)


def encode(logits: Tensor, bits: int) -> dict[str, Tensor]:
    """Return rows of logits ``[..., K]`` as they are stored, by file.

    With 8 bits a logit is off by at most half of its row's step, which is 1/255 of the row's range, rounded up.
    """
    logits = logits.float()
    if bits == 16:
        return {LOGITS: logits.half()}
    low, high = torch.aminmax(logits, dim=-1, keepdim=True)
    # Half precision rounds by at most 2⁻¹¹ of a value, or 2⁻²⁵: the offset lies below a row, the steps reach its end.
    offset = (low - low.abs() * 2**-10 - 2**-24).half()
    step = ((high - offset.float()) / _TOP * (1 + 2**-10) + 2**-24).half()
    codes = ((logits - offset.float()) / step.float()).round().clamp(0, _TOP)
    return {CODES: codes.to(torch.uint8), SCALES: torch.cat([offset, step], dim=-1)}


def decode(parts: Mapping[str, Tensor]) -> Tensor:
    """Return the logits ``[..., K]``, float32, that rows of :func:`encode` stand for."""
    if LOGITS in parts:
        return parts[LOGITS].float()
    scales = parts[SCALES].float()
    return scales[..., :1] + scales[..., 1:] * parts[CODES]


def as_stored(logits: Tensor, bits: int) -> Tensor:
    """Return logits as they come back from a file, float32."""
    return decode(encode(logits, bits))


def label_files(settings: RelabelSettings) -> list[str]:
    """Return the names of the files that a relabel run stores."""
    return list(_FILES[settings.bits]) if settings.store else []


class LabelWriter:
    """The files of a run that is under way, written epoch by epoch.

    They are written without a memory map, and room for all of them is reserved first: a map that meets a full disk ends
    the process without a word.

    Attributes:
        digests: of each finished epoch, one for each file; a checkpoint holds them to go on from.

    Raises:
        ArtefactError: a file cannot be written.
    """

    def __init__(self, folder: Path, settings: RelabelSettings, images: int, classes: int) -> None:
        self._bits = settings.bits
        shapes = {
            name: (settings.label_epochs, images, 2 if name == SCALES else classes) for name in _FILES[self._bits]
        }
        self._files = {name: _Rows(folder / name, shape) for name, shape in shapes.items()}
        self.digests: list[list[str]] = []

    def resume(self, state: Mapping[str, Any]) -> int:
        """Return how many epochs need not be made again: those whose rows are as a checkpoint tells.

        Checkpoints of earlier versions have no digests, and their epochs are taken as they are.
        """
        for epoch in range(state.get("epochs", 0)):
            found = self._digests(epoch)
            if found != state.get("digests", {epoch: found})[epoch]:
                logger.warning("labels of epoch %d are damaged; going on from there", epoch)
                break
            self.digests.append(found)
        return len(self.digests)

    def _digests(self, epoch: int) -> list[str]:
        return [hashlib.sha256(rows.read(epoch)).hexdigest() for rows in self._files.values()]

    def write(self, epoch: int, logits: Tensor) -> None:
        """Store an epoch's logits ``[N, K]``; nothing of it is in the files when it is refused.

        Raises:
            TrainingError: a logit is not finite in half precision.
            ArtefactError: a file cannot be written.
        """
        parts = {name: part.cpu().numpy() for name, part in encode(logits, self._bits).items()}
        for name, part in parts.items():
            if not np.isfinite(part).all():
                raise TrainingError(
                    f"a logit of epoch {epoch} is not finite in half precision ({name}); expected numbers within "
                    "±65504. Check the teacher; pretrain it again if need be."
                )
        written = {name: np.ascontiguousarray(part).tobytes() for name, part in parts.items()}
        for name, rows in written.items():
            self._files[name].write(epoch, rows)
        self.digests.append([hashlib.sha256(rows).hexdigest() for rows in written.values()])


class _Rows:
    """A NumPy file ``[epochs, …]``, made in its full length when it is not there, or is not as long."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        header, kind = io.BytesIO(), np.dtype(_TYPES[path.name])
        described = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        self._path, self._header = path, header.getvalue()
        self._epoch = math.prod(shape[1:]) * kind.itemsize
        size = len(self._header) + shape[0] * self._epoch
        with cannot_write(path):
            if not self._is_ours(size):
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "wb") as stream:
                    stream.write(self._header)
            reserve(path, size)

    def _is_ours(self, size: int) -> bool:
        if not self._path.is_file() or self._path.stat().st_size != size:
            return False
        with open(self._path, "rb") as stream:
            return stream.read(len(self._header)) == self._header

    def read(self, epoch: int) -> bytes:
        with cannot_write(self._path), open(self._path, "rb") as stream:
            stream.seek(len(self._header) + epoch * self._epoch)
            return stream.read(self._epoch)

    def write(self, epoch: int, rows: bytes) -> None:
        with cannot_write(self._path), open(self._path, "r+b") as stream:
            stream.seek(len(self._header) + epoch * self._epoch)
            stream.write(rows)


class StoredLabels:
    """Labels of any format, mapped and decoded by epoch; ``parts`` are arrays ``[epochs, N, …]`` by file."""

    def __init__(self, parts: Mapping[str, np.ndarray]) -> None:
        self.parts = dict(parts)

    @classmethod
    def read(cls, folder: str | Path) -> "StoredLabels":
        """Map what a finished relabel run stored.

        Raises:
            ArtefactError: it stored none, is not finished, or its files are missing or have changed.
        """
        stored = read_manifest(folder, "relabel")["files"]
        if not stored:
            raise ArtefactError(f"{folder} holds no stored labels; relabel with relabel.store=true to look at them.")
        whole = intact(folder, "relabel", *stored)
        return cls({name: np.load(whole / name, mmap_mode="r") for name in stored})

    @classmethod
    def made(cls, logits: Tensor, bits: int) -> "StoredLabels":
        """Hold one epoch's logits ``[N, K]`` as if they were stored."""
        return cls({name: part[None].cpu().numpy() for name, part in encode(logits, bits).items()})

    def epoch(self, epoch: int, device: str | torch.device = "cpu") -> Tensor:
        """Return the logits ``[N, K]``, float32, of an epoch; fewer stored epochs are taken in turn."""
        return decode({
            name: torch.from_numpy(np.array(part[epoch % len(part)])).to(device) for name, part in self.parts.items()
        })  # fmt: skip

    def array(self) -> np.ndarray:
        """Return all logits ``[epochs, N, K]``: mapped float16, or decoded float32."""
        if LOGITS in self.parts:
            return self.parts[LOGITS]
        return decode({name: torch.from_numpy(np.array(part)) for name, part in self.parts.items()}).numpy()
