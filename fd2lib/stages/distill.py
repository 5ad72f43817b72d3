"""Stage 2, distill ("recover"): a few synthetic images per class from frozen teachers.

One image index at a time, all classes of a chunk together. Methods differ only in settings: with no iterations the
result is the start itself (random real images, or RDED's mosaics), with zero constraint weights it is a base method,
with phases and several teachers it is FADRM+.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from fd2lib.data import Dataset
from fd2lib.ground import DistillSettings, SettingError, atomic_path, from_first, is_whole, share, stamped_files
from fd2lib.record import RunFolder, content_fingerprint
from fd2lib.stages.computing import to_pixels
from fd2lib.stages.course import DatasetInputs, Made, StageResult, run_stage, teacher_fingerprints, write_history
from fd2lib.stages.distilled import IMAGES, load_tensors, write_pngs
from fd2lib.stages.labels import load_teachers
from fd2lib.stages.objective import FIRST_COLUMNS, Objective, active_terms, history_columns
from fd2lib.stages.optimise import Job, optimise, plan_phases
from fd2lib.stages.room import require_room
from fd2lib.stages.starts import make_starts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DistillInputs(DatasetInputs):
    """The image set to distill and the folders of the teachers, used in turn, one per iteration.

    With the setting ``scorer`` another teacher scores the crops of mosaics.
    """

    teachers: Sequence[Path]
    scorer: Path | None = None

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of images and teachers."""
        scorer = {"scorer": content_fingerprint(self.scorer, "pretrain")} if self.scorer else {}
        return super().fingerprints() | teacher_fingerprints(self.teachers) | scorer


@dataclass(frozen=True)
class DistillResult(StageResult):
    """A distilled set. Changes are the mean share of the pixel range that optimisation moved pixels by."""

    change_by_index: list[float]  # per image index
    bytes_by_index: list[int]  # lossless PNG, per image index
    classes: list[str]

    @property
    def mean_pixel_change(self) -> float:
        """Mean change over all images."""
        return sum(self.change_by_index) / len(self.change_by_index)


def run_distill(
    settings: DistillSettings,
    inputs: DistillInputs,
    out_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> DistillResult:
    """Distill images, or load them; resumes at the last finished (image index, chunk).

    The folder gets ``images/`` and ``starts/`` (one lossless PNG per image), ``images.safetensors`` (the same),
    ``history.csv`` (every loss term per iteration) and ``manifest.json``.

    Raises:
        ArtefactError: ``out_dir`` was made with other settings or inputs.
        DataError: a class has too few images for the start.
        SettingError: a term needs an attention head that a teacher lacks.
        TrainingError: a loss is no longer finite.
    """

    def make(run: RunFolder, device: torch.device) -> Made:
        if settings.start == "all":
            return from_first(lambda: _take_all(inputs.dataset, run)), [IMAGES]
        _distill(settings, inputs, run, device, progress)
        result = from_first(lambda: _assemble(settings, inputs.dataset, run))
        return result, [IMAGES, "history.csv"]

    return run_stage(DistillResult, settings, inputs, out_dir, device, make)


def _chunk_target(run: RunFolder, index: int, chunk: int) -> Path:
    return run.folder / "chunks" / f"{index:03d}-{chunk:03d}.safetensors"


def _chunk_path(run: RunFolder, index: int, chunk: int) -> Path:
    """The file of a chunk; earlier versions wrote it without its digest in the name."""
    target = _chunk_target(run, index, chunk)
    return next(iter(stamped_files(target)), target)


def _to_do(run: RunFolder, jobs: Sequence[Job]) -> list[Job]:
    """The chunks that are not there; damaged ones are removed, to be made again."""
    todo = []
    for job in jobs:
        found = stamped_files(_chunk_target(run, *job))
        for path in found:
            if not is_whole(path):
                logger.warning("chunk %s is damaged; making it again", path)
                path.unlink()
        if not _chunk_path(run, *job).is_file():
            todo.append(job)
    return todo


def _distill(
    settings: DistillSettings, inputs: DistillInputs, run: RunFolder, device: torch.device, progress: bool
) -> None:
    if settings.iterations and not inputs.teachers:
        raise SettingError(
            f"iterations is {settings.iterations}, but no teacher was given; name one or set iterations to 0."
        )
    if (settings.scorer == "plain") != (inputs.scorer is not None):
        raise SettingError(
            f"distill.scorer is {settings.scorer!r}, but {'a' if inputs.scorer else 'no'} teacher was given to score "
            "crops; give one with 'plain' and a start of mosaics, and none with 'own'."
        )
    # A bad setting is reported before any work.
    plan_phases(settings, inputs.dataset.image_size)
    require_room(settings, inputs.dataset.num_classes, inputs.dataset.image_size, device)
    teachers = load_teachers(inputs.teachers, device)
    chunks = torch.split(torch.arange(len(inputs.dataset.classes)), settings.chunk_classes)
    jobs = [(index, chunk) for index in range(settings.ipc) for chunk in range(len(chunks))]
    todo = from_first(lambda: _to_do(run, jobs))
    # Images of a group depend on earlier ones where a term of the head compares them, and are then made in one process.
    group_size = settings.group_size if any(term.needs_head for term, _ in active_terms(settings)) else 1
    own = share(todo, lambda job: (job[0] // group_size, job[1]))
    if not own:
        return
    run.load_checkpoint()  # carries the wall time of earlier sittings
    scorer = load_teachers([inputs.scorer], device)[0] if inputs.scorer else next(iter(teachers), None)
    starts = make_starts(settings, inputs.dataset, scorer, device)
    steps = max(settings.iterations, 1)
    done = (len(jobs) - len(todo)) * steps
    total = done + len(own) * steps
    with tqdm(total=total, initial=done, desc="distill", unit="it", disable=not progress) as bar:
        for index, chunk in own:
            start = to_pixels(starts[index, chunks[chunk]])
            group = range(index - index % group_size, index)
            earlier = [load_tensors(_chunk_path(run, j, chunk))[0]["images"] for j in group]
            objectives = [Objective(teacher, settings, chunks[chunk].to(device)) for teacher in teachers]
            images, history = optimise(start, earlier, objectives, settings, (index, chunk), bar)
            with atomic_path(_chunk_target(run, index, chunk), stamped=True) as path:
                tensors = {"images": images.contiguous(), "starts": start.contiguous(), "history": history}
                save_file(tensors, path, metadata={"columns": " ".join(history_columns(settings))})
            run.save_checkpoint({"chunk": [index, chunk]})


_Grid = list[list[tuple[dict[str, Tensor], dict[str, str]]]]  # of chunks, by image index: tensors and metadata


def _assemble(settings: DistillSettings, data: Dataset, run: RunFolder) -> dict[str, Any]:
    """Join the chunks into one file, PNGs and a history, and describe the set."""
    num_chunks = math.ceil(len(data.classes) / settings.chunk_classes)
    grid = [[load_tensors(_chunk_path(run, i, c)) for c in range(num_chunks)] for i in range(settings.ipc)]
    joined = {
        name: torch.stack([torch.cat([part[name] for part, _ in row]) for row in grid]) for name in ("images", "starts")
    }
    with atomic_path(run.folder / IMAGES) as path:
        save_file(joined, path)
    _write_history(grid, run)
    labels = torch.arange(len(data.classes)).repeat(settings.ipc)
    for name in ("starts", "images"):
        written = write_pngs(run.folder / name, joined[name].flatten(0, 1), labels, data.classes)
    bytes_by_index = torch.tensor(written).view(settings.ipc, -1).sum(1).tolist()
    change = (joined["images"].float() - joined["starts"].float()).abs().flatten(1).mean(1) / 255
    return {"change_by_index": change.tolist(), "bytes_by_index": bytes_by_index, "classes": list(data.classes)}


def _write_history(grid: _Grid, run: RunFolder) -> None:
    """Join the chunks' histories by the names of their columns: a chunk may be older than a term."""
    rows: list[dict[str, float]] = []
    columns = dict.fromkeys(["index", "chunk", "iteration"])
    for index, row in enumerate(grid):
        for chunk, (tensors, metadata) in enumerate(row):
            names = metadata["columns"].split() if "columns" in metadata else FIRST_COLUMNS
            columns |= dict.fromkeys(names)
            for step, values in enumerate(tensors["history"].tolist()):
                place = {"index": index, "chunk": chunk, "iteration": step}
                rows.append(place | dict(zip(names, values, strict=True)))
    write_history(run.folder / "history.csv", rows, list(columns))


def _take_all(data: Dataset, run: RunFolder) -> dict[str, Any]:
    """The whole training set in a distilled set's form, classes of any count: the upper bound of every method."""
    order = data.train.labels.argsort(stable=True)
    images, labels = data.train.take(order), data.train.labels[order]
    with atomic_path(run.folder / IMAGES) as path:
        save_file({"images": images.contiguous(), "labels": labels.contiguous()}, path)
    written = write_pngs(run.folder / "images", images, labels, data.classes)
    return {"change_by_index": [0.0], "bytes_by_index": [sum(written)], "classes": list(data.classes)}
