"""Checkpoints: the newest and the one before it, each with its digest in its name."""

import logging
from pathlib import Path
from typing import Any

import torch

from fd2lib.ground import ArtefactError, atomic_stream, is_whole, stamped_files

_FORMERLY = "checkpoint.pt"
logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: Path | None = None  # the last one that was written or read

    def files(self) -> list[Path]:
        """Return all that are there, oldest first; earlier versions wrote one without a digest."""
        old = self.folder / _FORMERLY
        return [old] * old.is_file() + stamped_files(self.folder / "checkpoint-??????.pt")

    def save(self, state: dict[str, Any]) -> None:
        """Write a new one, and drop all but the last good one."""
        before = self.files()
        numbers = [int(path.name[11:17]) for path in before if path.name != _FORMERLY]
        with atomic_stream(self.folder / f"checkpoint-{max(numbers, default=0) + 1:06d}.pt", stamped=True) as stream:
            torch.save(state, stream)
        for path in before:
            if path != self._good:
                path.unlink(missing_ok=True)
        self._good = self.files()[-1]

    def load(self, device: str | torch.device) -> dict[str, Any] | None:
        """Return the newest that is whole, or ``None`` where there is none at all.

        Raises:
            ArtefactError: there are some, and none can be read.
        """
        found = self.files()
        for path in reversed(found):
            try:
                state = _read(path, device)
            except ArtefactError as error:
                if path == found[0]:
                    raise
                logger.warning("%s Going on from the one before it.", error)
            else:
                self._good = path
                return state
        return None

    def whole(self) -> list[bool]:
        """Return of each whether it is as it was written, as far as that can be told."""
        return [path.name == _FORMERLY or is_whole(path) for path in self.files()]

    def remove(self) -> None:
        """Delete all of them."""
        for path in self.files():
            path.unlink(missing_ok=True)


def _read(path: Path, device: str | torch.device) -> Any:
    if path.name == _FORMERLY or is_whole(path):
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ArtefactError(_damaged(path, error)) from error
    raise ArtefactError(_damaged(path, "its bytes have changed"))


def _damaged(path: Path, reason: object) -> str:
    return f"checkpoint {path} cannot be read ({reason}). Move it away to begin this stage again, or put it back whole."
