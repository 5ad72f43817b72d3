"""Stage 3, relabel: the teachers' logits for every augmented batch the student will see.

Views derive from (seed, epoch, batch), so only logits are stored, as float16 in the order of the plans; with
``store = false`` not even those, and evaluation asks the teachers again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from fd2lib.ground import ArtefactError, RelabelSettings
from fd2lib.record import RunFolder, content_fingerprint
from fd2lib.stages.common import Made, StageResult, autocast, require_finite, run_stage, teacher_fingerprints, to_unit
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.labels import load_teachers, plan_logits
from fd2lib.views import plan_epoch


@dataclass(frozen=True)
class RelabelInputs:
    """The folder of the distilled images and those of the teachers, whose logits are averaged."""

    distilled: Path
    teachers: Sequence[Path]

    @property
    def label(self) -> str:
        """Short name for folders."""
        return Path(self.distilled).name.rsplit("-", 1)[0]

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of images and teachers."""
        distilled = content_fingerprint(self.distilled, "distill")
        return {"distilled": distilled, **teacher_fingerprints(self.teachers)}


@dataclass(frozen=True)
class RelabelResult(StageResult):
    """Stored soft labels; ``label_bytes`` is 0 when nothing is stored."""

    label_bytes: int
    teachers: list[str]
    distilled: str


def run_relabel(
    settings: RelabelSettings,
    inputs: RelabelInputs,
    out_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> RelabelResult:
    """Compute soft labels, or load them; resumes at the last finished epoch.

    The folder gets ``teacher_logits.npy`` (float16 ``[epochs, N, K]``, rows in the order of
    :func:`fd2lib.views.plan_epoch`) unless ``store`` is false, and ``manifest.json``.

    Raises:
        ArtefactError: ``out_dir`` was made with other settings or inputs, or an input run is not complete.
        TrainingError: a teacher's logits are not finite.
    """

    def make(run: RunFolder, device: torch.device) -> Made:
        files = ["teacher_logits.npy"] if settings.store else []
        if settings.store:
            _relabel(settings, inputs, run, device, progress)
        result = {
            "label_bytes": sum((run.folder / name).stat().st_size for name in files),
            "teachers": [str(Path(path).resolve()) for path in inputs.teachers],
            "distilled": str(Path(inputs.distilled).resolve()),
        }
        return result, files

    return run_stage(RelabelResult, settings, inputs, out_dir, device, make)


def _relabel(
    settings: RelabelSettings, inputs: RelabelInputs, run: RunFolder, device: torch.device, progress: bool
) -> None:
    distilled = load_distilled(inputs.distilled, settings.ipc)
    images = to_unit(distilled.images.to(device))
    teachers = load_teachers(inputs.teachers, device)
    state = run.load_checkpoint()
    done = state["epochs"] if state else 0
    shape = (settings.epochs, len(images), len(distilled.classes))
    stored = _open(run.folder / "teacher_logits.npy", shape, done)
    with tqdm(total=settings.epochs, initial=done, desc="relabel", unit="epoch", disable=not progress) as bar:
        for epoch in range(done, settings.epochs):
            plans = plan_epoch(settings, len(images), images.shape[-1], epoch, images.device)
            choices = settings.label_mode, settings.label_source
            with autocast(device, settings.precision):
                logits = torch.cat([plan_logits(teachers, images, plan, *choices) for plan in plans])
            logits = logits.half().cpu()  # all that the host reads of an epoch
            largest = {"largest logit": logits.abs().amax().item()}
            require_finite(largest, f"epoch {epoch}", "Check the teacher; pretrain it again if need be.")
            stored[epoch] = logits.numpy()
            stored.flush()
            run.save_checkpoint({"epochs": epoch + 1})
            bar.update()


def _open(path: Path, shape: tuple[int, int, int], done: int) -> np.memmap:
    """Map the labels' file, new when nothing is done yet, else that of the interrupted run."""
    try:
        if done == 0:
            return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
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
