"""Stage 3, relabel: the teachers' logits for every augmented batch the student will see.

Views derive from (seed, epoch, batch), so only logits are stored, in the order of the plans; with ``store = false`` not
even those, and evaluation asks the teachers again. :mod:`fd2lib.stages.label_store` has the formats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm.auto import tqdm

from fd2lib.ground import RelabelSettings, from_first, is_first, mapped, world
from fd2lib.record import RunFolder, content_fingerprint
from fd2lib.stages.computing import to_unit
from fd2lib.stages.course import Made, StageResult, run_stage, teacher_fingerprints
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.label_store import LabelWriter, label_files
from fd2lib.stages.labels import epoch_logits, load_teachers
from fd2lib.stages.sources import path_from, source_folders


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

    The folder gets the files of labels (``fd2lib.stages.label_store`` has the formats; rows in the order of
    :func:`fd2lib.views.plan_epoch`) unless ``store`` is false, and ``manifest.json``.

    Raises:
        ArtefactError: ``out_dir`` was made with other settings or inputs, or an input run is not complete.
        TrainingError: a teacher's logits are not finite.
    """

    def make(run: RunFolder, device: torch.device) -> Made:
        files = label_files(settings)
        if files:
            _relabel(settings, inputs, run, device, progress)
        sizes = from_first(lambda: [(run.folder / name).stat().st_size for name in files])
        result = {
            "label_bytes": sum(sizes),
            "teachers": [path_from(run.folder, path) for path in inputs.teachers],
            "distilled": path_from(run.folder, inputs.distilled),
        }
        return result, files

    made = run_stage(RelabelResult, settings, inputs, out_dir, device, make)
    distilled, *teachers = source_folders(made.folder, made.distilled, made.teachers, inputs.fingerprints())
    return replace(made, distilled=str(distilled), teachers=[str(teacher) for teacher in teachers])


def _relabel(
    settings: RelabelSettings, inputs: RelabelInputs, run: RunFolder, device: torch.device, progress: bool
) -> None:
    distilled = load_distilled(inputs.distilled, settings.ipc)
    images = to_unit(distilled.images.to(device))
    teachers = load_teachers(inputs.teachers, device, settings.compiled)
    state = run.load_checkpoint() or {}
    epochs, size = settings.label_epochs, (len(images), len(distilled.classes))
    writer = LabelWriter(run.folder, settings, *size) if is_first() else None
    done = from_first(lambda: writer.resume(state) if writer is not None else 0)
    with tqdm(total=epochs, initial=done, desc="relabel", unit="epoch", disable=not progress) as bar:
        while done < epochs:
            one_each = range(done, min(done + world(), epochs))
            made = mapped(lambda epoch: epoch_logits(settings, teachers, images, epoch), one_each)
            if writer is not None:
                for epoch, logits in enumerate(made, done):
                    writer.write(epoch, logits)
            done += len(made)
            run.save_checkpoint_when_due({"epochs": done, "digests": writer.digests if writer is not None else []})
            bar.update(len(made))
