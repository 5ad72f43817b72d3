"""One experiment: four stages run or loaded in order, for notebooks, the command line and grids alike."""

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import Dataset, load_dataset
from fd2lib.ground import Recipe, load_recipe
from fd2lib.models import Teacher
from fd2lib.record import append_result, read_manifest, run_or_load
from fd2lib.stages import (
    DistilledImages,
    DistillInputs,
    DistillResult,
    EvaluateInputs,
    EvaluateResult,
    PretrainInputs,
    PretrainResult,
    RelabelInputs,
    RelabelResult,
    load_distilled,
    resolve_device,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an experiment is asked to be; empty strings and zeros take the scale's default."""

    scale: str = "toy"
    dataset: str = "plumage"
    data_root: str = ""
    classes: str = ""
    image_size: int = 0
    backbone: str = ""
    method: str = "sre2lpp_fd2"
    ipc: int = 1
    distill_ipc: int = 0  # images per class to distill, of which ipc are used; 0: as many as ipc
    seed: int = 0
    settings: str = ""  # overrides, as "distill.iterations=100 distill.start=pool2"
    device: str = "auto"
    runs_dir: str = "runs"
    progress: bool = True


class Experiment:
    """Runs or loads the stages of one request; every method loads what is there and makes what is not.

    Args:
        **request: fields of :class:`Request`.

    Raises:
        SettingError: an unknown scale, method or setting.
    """

    def __init__(self, **request: Any) -> None:
        self.request = Request(**request)
        asked = self.request
        self.recipe: Recipe = load_recipe(
            asked.scale,
            dataset=asked.dataset,
            method=asked.method,
            backbone=asked.backbone,
            ipc=asked.ipc,
            seed=asked.seed,
            image_size=asked.image_size,
            classes=asked.classes or None,
            overrides=asked.settings,
        )
        self.device = resolve_device(asked.device)
        self._results: dict[str, Any] = {}  # stages need each other's results; each is run or loaded once

    def with_(self, **changes: Any) -> "Experiment":
        """Return the same experiment with some fields of the request changed; loaded images are shared."""
        other = Experiment(**{**dataclasses.asdict(self.request), **changes})
        same = all(
            getattr(self.recipe, name) == getattr(other.recipe, name) for name in ("dataset", "classes", "image_size")
        )
        if same and "dataset" in self.__dict__ and other.request.data_root == self.request.data_root:
            other.__dict__["dataset"] = self.dataset
        return other

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The image set."""
        recipe = self.recipe
        return load_dataset(recipe.dataset, self.request.data_root, recipe.image_size, recipe.classes)

    def _run(self, stage: Any, settings: Any, make_inputs: Callable[[], Any]) -> Any:
        asked, name = self.request, stage.__name__
        if name not in self._results:
            self._results[name] = run_or_load(
                stage, settings, make_inputs(), asked.runs_dir, device=self.device, progress=asked.progress
            )
        return self._results[name]

    def pretrain(self) -> PretrainResult:
        """Train or load the method's teacher."""
        return self._run(run_pretrain, self.recipe.pretrain, lambda: PretrainInputs(self.dataset))

    def teacher(self) -> Teacher:
        """Return the method's teacher, in evaluation mode."""
        return Teacher.load(self.pretrain().folder, self.device).eval()

    def distill(self) -> DistillResult:
        """Make or load the images; only optimisation and mosaics need the teacher."""
        settings = self.recipe.distill
        if self.request.distill_ipc:
            settings = dataclasses.replace(settings, ipc=self.request.distill_ipc)
        needs_teacher = settings.iterations > 0 or settings.start.startswith("pool")

        def inputs() -> DistillInputs:
            return DistillInputs(self.dataset, [self.pretrain().folder] if needs_teacher else [])

        return self._run(run_distill, settings, inputs)

    def distilled(self) -> DistilledImages:
        """Return the distilled images, ``ipc`` of each class."""
        return load_distilled(self.distill().folder, self.recipe.distill.ipc)

    def relabel(self) -> RelabelResult:
        """Make or load the soft labels."""
        return self._run(
            run_relabel,
            self.recipe.relabel,
            lambda: RelabelInputs(self.distill().folder, [self.pretrain().folder]),
        )

    def evaluate(self) -> EvaluateResult:
        """Train and test a student, or load what it reached."""
        return self._run(
            run_evaluate, self.recipe.evaluate, lambda: EvaluateInputs(self.dataset, self.relabel().folder)
        )

    def row(self) -> dict[str, Any]:
        """Run everything and return the result row (see :data:`fd2lib.record.COLUMNS`)."""
        teacher, images, labels, student = self.pretrain(), self.distill(), self.relabel(), self.evaluate()
        recipe, manifest = self.recipe, read_manifest(student.folder, "evaluate")
        stages = {
            name: dataclasses.asdict(getattr(recipe, name)) for name in ("pretrain", "distill", "relabel", "evaluate")
        }
        made, ipc = manifest["provenance"], recipe.relabel.ipc
        return {
            "scale": recipe.scale,
            "dataset": recipe.dataset,
            "classes": recipe.classes,
            "num_classes": len(self.dataset.classes),
            "image_size": recipe.image_size,
            "method": recipe.method,
            "start": recipe.distill.start,
            "ipc": ipc,
            "seed": self.request.seed,
            "teacher": recipe.pretrain.backbone,
            "teacher_init": recipe.pretrain.init,
            "student": recipe.evaluate.student,
            "student_init": recipe.evaluate.student_init,
            "labels": recipe.evaluate.labels,
            "last_top1": round(student.last_accuracy, 4),
            "best_top1": round(student.best_accuracy, 4),
            "teacher_top1": round(teacher.backbone_accuracy, 4),
            "teacher_head_top1": "" if teacher.head_accuracy is None else round(teacher.head_accuracy, 4),
            "test_images": student.test_images,
            "mean_pixel_change": round(sum(images.change_by_index[:ipc]) / ipc, 6),
            "images_bytes": sum(images.bytes_by_index[:ipc]),
            "labels_bytes": labels.label_bytes,
            "pretrain_seconds": teacher.seconds,
            "distill_seconds": images.seconds,
            "relabel_seconds": labels.seconds,
            "evaluate_seconds": student.seconds,
            "fingerprint": manifest["fingerprint"],
            "settings": json.dumps(stages, sort_keys=True),
            "device": made["device"],
            "versions": " ".join(f"{name} {version}" for name, version in made["versions"].items()),
            "commit": made["commit"],
            "date": made["date"],
        }

    def record(self, results: str | Path) -> dict[str, Any]:
        """Run everything, add the row to a results file and return it."""
        row = self.row()
        append_result(row, results)
        return row
