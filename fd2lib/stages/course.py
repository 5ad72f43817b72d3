"""The course that all four stages share: inputs, a run's folder, epochs and their history."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from tqdm.auto import tqdm

from fd2lib.data import Dataset
from fd2lib.ground import SettingError, StageSettings, from_first, is_first, kept_memory, world, write_text
from fd2lib.ground.ranks import alone
from fd2lib.record import RunFolder, StageInputs, content_fingerprint
from fd2lib.stages.computing import deterministic, resolve_device
from fd2lib.stages.finite import Watch


@dataclass(frozen=True)
class DatasetInputs:
    """Inputs of a stage that reads an image set."""

    dataset: Dataset

    @property
    def label(self) -> str:
        """Short name for folders."""
        return f"{self.dataset.name}-{self.dataset.image_size}px"

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the images."""
        return {"dataset": self.dataset.fingerprint}


def teacher_fingerprints(folders: Sequence[Path]) -> dict[str, str]:
    """Return the fingerprints of teachers' files, in turn."""
    return {f"teacher_{i}": content_fingerprint(folder, "pretrain") for i, folder in enumerate(folders)}


@dataclass(frozen=True)
class StageResult:
    """What every stage returns: its folder, wall time in seconds, and whether it was there already."""

    folder: Path
    seconds: float
    reused: bool


Result = TypeVar("Result", bound=StageResult)
Made = tuple[dict[str, Any], list[str]]  # a stage's result, and the files that its fingerprint covers


def run_stage(
    kind: type[Result],
    settings: StageSettings,
    inputs: StageInputs,
    out_dir: str | Path,
    device: str | torch.device,
    make: Callable[[RunFolder, torch.device], Made],
) -> Result:
    """Make what a stage makes, or load it when ``out_dir`` holds it, under the settings' threads."""
    device = resolve_device(device)
    run = RunFolder(out_dir, settings.stage, settings, inputs.fingerprints())

    def finished() -> dict[str, Any]:
        return run.finish(*make(run, device), device)

    with run.session() as manifest, deterministic(settings.threads), kept_memory():
        reused = manifest is not None
        if manifest is None:
            manifest = from_first(alone()(finished)) if _is_for_one(settings) else finished()
        return kind(folder=run.folder, seconds=manifest["seconds"], reused=reused, **manifest["result"])


def _is_for_one(settings: StageSettings) -> bool:
    """Whether training is asked of one process, while there are more; stages that only share work take all.

    Raises:
        SettingError: it is asked of another number than there are.
    """
    asked: int = getattr(settings, "processes", world())
    if asked not in (1, world()):
        raise SettingError(
            f"{settings.stage}.processes is {asked}, but {world()} can work here; start as many, with "
            f"torchrun --nproc-per-node {asked} -m fd2lib, or set general.processes, which makes another run."
        )
    return asked < world()


def run_epochs(
    run: RunFolder,
    epochs: int,
    parts: Mapping[str, nn.Module | torch.optim.Optimizer],
    one_epoch: Callable[[int, Watch], dict[str, Any]],
    terms: Sequence[str],
    shown: Sequence[str],
    progress: bool,
) -> list[dict[str, Any]]:
    """Train epoch by epoch from the last checkpoint, which holds ``parts``; write and return the history.

    ``one_epoch`` shows the ``terms`` of each step to a watch, and gives a row whose columns ``shown`` stand beside the
    bar.

    Raises:
        TrainingError: a term is no longer finite.
    """
    history: list[dict[str, Any]] = []
    if state := run.load_checkpoint():  # on the CPU; loading a state moves it to where the part is
        for name, part in parts.items():
            part.load_state_dict(state[name])
        history = state["history"]
    with tqdm(total=epochs, initial=len(history), desc=run.stage, unit="epoch", disable=not progress) as bar:
        for epoch in range(len(history), epochs):
            remedy = f"Lower {run.stage}.learning_rate; the last checkpoint is kept."
            watch = Watch(terms, f"epoch {epoch} of {run.folder}", remedy)
            row = one_epoch(epoch, watch)
            if not all(isinstance(value, str) or math.isfinite(value) for value in row.values()):
                watch.check()
            history.append(row)
            state = {name: part.state_dict() for name, part in parts.items()}
            run.save_checkpoint_when_due(state | {"history": history})
            bar.set_postfix({name: row[name] for name in shown})
            bar.update()
    if is_first():
        write_history(run.folder / "history.csv", history)
    return history


def write_history(path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, atomically; ``columns`` are the first row's keys unless given."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(columns or rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())
