"""Run folders: a manifest written last, checkpoints before it, and a lock around both.

A folder is *complete* when ``manifest.json`` is there, *started* when only ``started.json`` is. Either must
match what is asked for: a folder made with other settings or inputs is refused by name, never overwritten.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import filelock
import torch

from fd2lib.ground import (
    ArtefactError,
    StageSettings,
    atomic_path,
    file_digest,
    from_first,
    identity,
    is_first,
    read_json,
    write_json,
)
from fd2lib.record.provenance import provenance, reset_peak_memory

SCHEMA = 1
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


def fingerprint(stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the hex SHA-256 of what determines a stage's output, the device aside."""
    text = json.dumps([SCHEMA, stage, dict(settings), dict(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: str | Path, stage: str) -> dict[str, Any]:
    """Return the manifest of a complete run folder of ``stage``.

    Raises:
        ArtefactError: the folder is missing, incomplete, or belongs to another stage.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        state = "was started but not finished" if (Path(folder) / "started.json").is_file() else "does not exist"
        raise ArtefactError(
            f"{stage} run {folder} {state}; expected a complete run. Run {stage} with this folder first."
        )
    manifest = read_json(path)
    if manifest.get("stage") != stage:
        raise ArtefactError(
            f"{folder} holds a run of {manifest.get('stage')!r}; expected {stage!r}. Name its folder instead."
        )
    return manifest


class RunFolder:
    """One stage's folder, made if missing; ``inputs`` are the fingerprints, by name, of everything the stage reads."""

    def __init__(self, folder: str | Path, stage: str, settings: StageSettings, inputs: Mapping[str, str]) -> None:
        self.folder = Path(folder)
        self.stage = stage
        self.identity: dict[str, Any] = {"stage": stage, "settings": identity(settings), "inputs": dict(inputs)}
        self.fingerprint = fingerprint(stage, self.identity["settings"], inputs)
        self._since = time.perf_counter()
        self._earlier_seconds = 0.0

    @contextmanager
    def session(self) -> Iterator[dict[str, Any] | None]:
        """Hold the folder's lock, as the first process; yield the manifest when the run is complete, else ``None``.

        Raises:
            ArtefactError: the folder was made with other settings or inputs, or is not a run folder.
        """
        with ExitStack() as held:
            manifest = from_first(lambda: self._locked(held))
            reset_peak_memory()
            yield manifest

    def _locked(self, held: ExitStack) -> dict[str, Any] | None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / ".lock")
            lock.acquire()
        except OSError as error:
            raise ArtefactError(
                f"cannot use {self.folder} as a run folder: {error.strerror}. Choose another folder."
            ) from error
        held.callback(lock.release)
        return self._open()

    def _open(self) -> dict[str, Any] | None:
        for name in ("manifest.json", "started.json"):
            path = self.folder / name
            if path.is_file():
                record = read_json(path)
                self._refuse_other(record)
                complete = name == "manifest.json"
                logger.info("%s: %s %s", self.stage, "reusing" if complete else "continuing", self.folder)
                return record if complete else None
        strangers = [path.name for path in self.folder.iterdir() if path.name != ".lock"]
        if strangers:
            raise ArtefactError(
                f"{self.folder} holds {strangers[0]!r} and is not a run folder; expected an empty or new one. "
                "Choose another folder."
            )
        write_json(self.folder / "started.json", {**self.identity, "fingerprint": self.fingerprint})
        return None

    def _refuse_other(self, record: dict[str, Any]) -> None:
        if record.get("fingerprint") == self.fingerprint:
            return
        differing = [
            f"{part}.{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
            for part in ("settings", "inputs")
            for theirs, ours in [(record.get(part, {}), self.identity[part])]
            for name in sorted(theirs.keys() | ours.keys())
            if theirs.get(name) != ours.get(name)
        ]
        reason = "; ".join(differing) or f"stage or schema differs ({record.get('stage')!r} there)"
        raise ArtefactError(
            f"{self.folder} was made differently: {reason}. "
            "Nothing was changed. Choose another folder or the same settings."
        )

    @property
    def seconds(self) -> float:
        """Wall time of the stage so far, earlier sittings included."""
        return self._earlier_seconds + time.perf_counter() - self._since

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write ``state`` (tensors and plain values), as the first process, as the folder's checkpoint."""
        if not is_first():
            return
        with atomic_path(self.folder / "checkpoint.pt") as path:
            torch.save({"seconds": self.seconds, "state": state}, path)

    def load_checkpoint(self, device: str | torch.device = "cpu") -> dict[str, Any] | None:
        """Return the last checkpoint's state, or ``None`` when there is none.

        Raises:
            ArtefactError: the checkpoint cannot be read.
        """
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return None
        try:
            saved = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ArtefactError(
                f"checkpoint {path} cannot be read ({error}). Move it away to begin this stage again."
            ) from error
        self._earlier_seconds = saved["seconds"]
        self._since = time.perf_counter()
        return saved["state"]

    def finish(self, result: dict[str, Any], files: list[str], device: str | torch.device) -> dict[str, Any]:
        """Write the manifest, which makes the run complete, and drop the checkpoint it replaces."""
        return from_first(lambda: self._finish(result, files, device))

    def _finish(self, result: dict[str, Any], files: list[str], device: str | torch.device) -> dict[str, Any]:
        manifest = {
            **self.identity,
            "fingerprint": self.fingerprint,
            "result": result,
            "files": {name: file_digest(self.folder / name) for name in files},
            "seconds": round(self.seconds, 2),
            "provenance": provenance(device),
        }
        write_json(self.folder / "manifest.json", manifest)
        for name in ("checkpoint.pt", "started.json"):
            (self.folder / name).unlink(missing_ok=True)
        return manifest


def content_fingerprint(folder: str | Path, stage: str) -> str:
    """Return a digest of a complete run's files, for the stage that reads them."""
    manifest = read_manifest(folder, stage)
    return hashlib.sha256(json.dumps([stage, manifest["files"]], sort_keys=True).encode()).hexdigest()


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
