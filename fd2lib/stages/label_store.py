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

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fd2lib.ground import ArtefactError, RelabelSettings, TrainingError

LOGITS, CODES, SCALES = "teacher_logits.npy", "teacher_codes.npy", "teacher_scales.npy"
_FILES = {16: (LOGITS,), 8: (CODES, SCALES)}
_TYPES = {LOGITS: np.float16, CODES: np.uint8, SCALES: np.float16}
_TOP = 255  # the highest code


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
    """The files of a run that is under way, written epoch by epoch; those of an interrupted run are continued."""

    def __init__(self, folder: Path, settings: RelabelSettings, images: int, classes: int, done: int) -> None:
        self._bits = settings.bits
        self._files = {
            name: _open(folder / name, (settings.label_epochs, images, 2 if name == SCALES else classes), done)
            for name in label_files(settings)
        }

    def write(self, epoch: int, logits: Tensor) -> None:
        """Store an epoch's logits ``[N, K]``; nothing of it is in the files when it is refused.

        Raises:
            TrainingError: a logit is not finite in half precision.
        """
        parts = {name: part.cpu().numpy() for name, part in encode(logits, self._bits).items()}
        for name, part in parts.items():
            if not np.isfinite(part).all():
                raise TrainingError(
                    f"a logit of epoch {epoch} is not finite in half precision ({name}); expected numbers within "
                    "±65504. Check the teacher; pretrain it again if need be."
                )
        for name, part in parts.items():
            self._files[name][epoch] = part
            self._files[name].flush()


def _open(path: Path, shape: tuple[int, ...], done: int) -> np.memmap:
    """Map a file, new when nothing is done yet, else that of the interrupted run."""
    try:
        if done == 0:
            return np.lib.format.open_memmap(path, mode="w+", dtype=_TYPES[path.name], shape=shape)
        stored = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"cannot open {path} for writing ({error}). Free some space or choose another folder."
        ) from error
    if stored.shape != shape:
        raise ArtefactError(
            f"{path} has shape {stored.shape}; expected {shape}. Move the folder away and relabel again."
        )
    return stored


class StoredLabels:
    """Labels of any format, mapped and decoded by epoch; ``parts`` are arrays ``[epochs, N, …]`` by file."""

    def __init__(self, parts: Mapping[str, np.ndarray]) -> None:
        self.parts = dict(parts)

    @classmethod
    def read(cls, folder: str | Path) -> "StoredLabels":
        """Map what a finished relabel run stored.

        Raises:
            ArtefactError: it stored none.
        """
        found = [names for names in _FILES.values() if all((Path(folder) / name).is_file() for name in names)]
        if not found:
            raise ArtefactError(f"{folder} holds no stored labels; relabel with relabel.store=true to look at them.")
        return cls({name: np.load(Path(folder) / name, mmap_mode="r") for name in found[0]})

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
