"""Run folders: a manifest written last, checkpoints before it, and a lock around both.

A folder is *complete* when ``manifest.json`` is there, *started* when only ``started.json`` is. Either must
match what is asked for: a folder made with other settings or inputs is refused by name, never overwritten.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from fd2lib.ground import (
    ArtefactError,
    StageSettings,
    file_digest,
    from_first,
    identity,
    is_first,
    is_leftover,
    locked,
    remove_leftovers,
)
from fd2lib.record.checkpoints import Checkpoints
from fd2lib.record.manifest import MANIFEST, STARTED, fingerprint, read_record, write_record
from fd2lib.record.provenance import provenance, reset_peak_memory

Result = TypeVar("Result")
logger = logging.getLogger(__name__)

# Of a stage's time, at most: an epoch of few images is soon trained, yet its network takes as long to write as any.
CHECKPOINT_SHARE = 0.05


class RunFolder:
    """One stage's folder, made if missing; ``inputs`` are the fingerprints, by name, of everything the stage reads."""

    def __init__(self, folder: str | Path, stage: str, settings: StageSettings, inputs: Mapping[str, str]) -> None:
        self.folder = Path(folder)
        self.stage = stage
        self.identity: dict[str, Any] = {"stage": stage, "settings": identity(settings), "inputs": dict(inputs)}
        self.fingerprint = fingerprint(stage, self.identity["settings"], inputs)
        self._checkpoints = Checkpoints(self.folder)
        self._since = time.perf_counter()
        self._earlier_seconds = 0.0
        self._next_checkpoint = 0.0  # when it is due, by the same clock

    @contextmanager
    def session(self) -> Iterator[dict[str, Any] | None]:
        """Hold the folder's lock, as the first process; yield the manifest when the run is complete, else ``None``.

        Raises:
            ArtefactError: the folder was made with other settings or inputs, is not a run folder, or is in use.
        """
        with ExitStack() as held:
            manifest = from_first(lambda: self._locked(held))
            reset_peak_memory()
            yield manifest

    def _locked(self, held: ExitStack) -> dict[str, Any] | None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(self.folder / ".lock"))
        except OSError as error:
            raise ArtefactError(
                f"cannot use {self.folder} as a run folder: {error.strerror}. Choose another folder."
            ) from error
        return self._open()

    def _open(self) -> dict[str, Any] | None:
        for name in (MANIFEST, STARTED):
            path = self.folder / name
            if path.is_file():
                record = read_record(path)
                self._refuse_other(record)
                complete = name == MANIFEST
                logger.info("%s: %s %s", self.stage, "reusing" if complete else "continuing", self.folder)
                if complete:
                    self._tidy()
                    return record
                remove_leftovers(self.folder, below=True)
                return None
        strangers = [path.name for path in self.folder.iterdir() if path.name != ".lock" and not is_leftover(path.name)]
        if strangers:
            raise ArtefactError(
                f"{self.folder} holds {strangers[0]!r} and is not a run folder; expected an empty or new one. "
                "Choose another folder, or move this one away."
            )
        remove_leftovers(self.folder)
        write_record(self.folder / STARTED, {**self.identity, "fingerprint": self.fingerprint})
        return None

    def _tidy(self) -> None:
        """Remove what a complete run no longer needs, also where a process was killed before it did."""
        with contextlib.suppress(OSError):  # of someone else, say; it does no harm
            remove_leftovers(self.folder)
            self._checkpoints.remove()
            (self.folder / STARTED).unlink(missing_ok=True)

    def _refuse_other(self, record: dict[str, Any]) -> None:
        if record["fingerprint"] == self.fingerprint:
            return
        differing = [
            f"{part}.{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
            for part in ("settings", "inputs")
            for theirs, ours in [(record[part], self.identity[part])]
            for name in sorted(theirs.keys() | ours.keys())
            if theirs.get(name) != ours.get(name)
        ]
        reason = "; ".join(differing) or f"stage or schema differs ({record['stage']!r} there)"
        raise ArtefactError(
            f"{self.folder} was made differently: {reason}. "
            "Nothing was changed. Choose another folder or the same settings."
        )

    @property
    def seconds(self) -> float:
        """Wall time of the stage so far, earlier sittings included."""
        return self._earlier_seconds + time.perf_counter() - self._since

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain values), as the first process, as the folder's newest checkpoint."""
        if is_first():
            self._checkpoints.save({"seconds": self.seconds, "state": state})

    def save_checkpoint_when_due(self, state: dict[str, Any]) -> None:
        """Save the first of a sitting, and each further one as soon as saving stays ``CHECKPOINT_SHARE`` of the time.

        A killed process loses an epoch, or about twenty times what it takes to write a checkpoint.
        """
        began = time.perf_counter()
        if began >= self._next_checkpoint:
            self.save_checkpoint(state)
            self._next_checkpoint = began + (time.perf_counter() - began) / CHECKPOINT_SHARE

    def load_checkpoint(self, device: str | torch.device = "cpu") -> dict[str, Any] | None:
        """Return the state of the newest checkpoint that is whole, or ``None`` when there is none.

        Raises:
            ArtefactError: no checkpoint can be read.
        """
        saved = self._checkpoints.load(device)
        if saved is None:
            return None
        self._earlier_seconds = saved["seconds"]
        self._since = time.perf_counter()
        return saved["state"]

    def finish(self, result: dict[str, Any], files: list[str], device: str | torch.device) -> dict[str, Any]:
        """Write the manifest, which makes the run complete, and drop the checkpoints it replaces."""
        return from_first(lambda: self._finish(result, files, device))

    def _finish(self, result: dict[str, Any], files: list[str], device: str | torch.device) -> dict[str, Any]:
        try:
            digests = {name: file_digest(self.folder / name) for name in files}
        except OSError as error:
            raise ArtefactError(
                f"cannot read back {error.filename}: {error.strerror}. Run the stage again to go on."
            ) from error
        manifest = write_record(
            self.folder / MANIFEST,
            {
                **self.identity,
                "fingerprint": self.fingerprint,
                "result": result,
                "files": digests,
                "seconds": round(self.seconds, 2),
                "provenance": provenance(device),
            },
        )
        self._tidy()
        return manifest


class StageInputs(Protocol):
    """What a stage reads: a label for the folder's name, and fingerprints."""

    @property
    def label(self) -> str:
        """Short name of the inputs, for people."""

    def fingerprints(self) -> dict[str, str]:
        """Name to fingerprint of every input."""


def run_or_load(
    stage_function: Callable[..., Result],
    settings: StageSettings,
    inputs: StageInputs,
    runs_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Result:
    """Run a stage below ``runs_dir``, or load it when it was run before.

    The folder is ``runs_dir/<stage>/<label>-<fingerprint>``, so other settings never meet in one folder.
    """
    digest = fingerprint(settings.stage, identity(settings), inputs.fingerprints())
    folder = Path(runs_dir) / settings.stage / f"{inputs.label}-{digest[:12]}"
    return stage_function(settings, inputs, folder, device=device, progress=progress and is_first())
