"""One experiment: four stages run or loaded in order, for notebooks, the command line and grids alike."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import Dataset, load_dataset
from fd2lib.drive.rows import result_row
from fd2lib.ground import PretrainSettings, Recipe, load_recipe
from fd2lib.models import Teacher
from fd2lib.record import append_result, run_or_load
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
    bundle: str = ""  # "paper" or "release": all their readings at once
    method: str = "sre2lpp_fd2"
    teacher: str = ""  # kind of teacher that makes the images; empty: the method's
    label_teacher: str = ""  # kind of teacher that makes the labels; empty: as the images'
    teachers: str = ""  # their backbones, separated by blanks; empty: the method's
    student: str = ""  # empty: as the backbone
    ipc: int = 1
    distill_ipc: int = 0  # images per class to distill, of which ipc are used; 0: as many as ipc
    seed: int = 0
    settings: str = ""  # overrides, as "distill.iterations=100 distill.start=pool2"
    device: str = "auto"
    runs_dir: str = "runs"
    progress: bool = True


def join_settings(*texts: str) -> str:
    """Return several overrides, each as ``settings`` of a request, as one; of the same setting the last counts."""
    return " ".join(filter(None, texts))


def resolve_recipe(request: Request) -> Recipe:
    """Return the recipe of a request.

    Raises:
        SettingError: an unknown scale, method, teacher or setting.
    """
    names = ("dataset", "method", "backbone", "ipc", "seed", "image_size", "bundle", "teacher", "label_teacher")
    given = {name: getattr(request, name) for name in (*names, "teachers", "student")}
    return load_recipe(request.scale, classes=request.classes or None, overrides=request.settings, **given)


class Experiment:
    """Runs or loads the stages of one request; every method loads what is there and makes what is not.

    Args:
        **request: fields of :class:`Request`.

    Raises:
        SettingError: an unknown scale, method or setting.
    """

    def __init__(self, **request: Any) -> None:
        self.request = Request(**request)
        self.recipe: Recipe = resolve_recipe(self.request)
        self.device = resolve_device(self.request.device)
        self._results: dict[tuple, Any] = {}  # stages need each other's results; each is run or loaded once

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
        asked, key = self.request, (stage.__name__, settings)
        if key not in self._results:
            self._results[key] = run_or_load(
                stage, settings, make_inputs(), asked.runs_dir, device=self.device, progress=asked.progress
            )
        return self._results[key]

    def _pretrain(self, teachers: Sequence[PretrainSettings]) -> list[PretrainResult]:
        return [self._run(run_pretrain, settings, lambda: PretrainInputs(self.dataset)) for settings in teachers]

    def pretrain(self) -> PretrainResult:
        """Train or load the method's teacher, the first where there are several."""
        return self._pretrain(self.recipe.teachers[:1])[0]

    def teacher(self) -> Teacher:
        """Return the method's teacher, the first where there are several, in evaluation mode."""
        return Teacher.load(self.pretrain().folder, self.device).eval()

    def image_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the images need; none for real images."""
        return self._pretrain(self.recipe.teachers if self.recipe.needs_image_teachers else ())

    def label_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the labels need; none for true classes."""
        return self._pretrain(self.recipe.label_teachers if self.recipe.needs_label_teachers else ())

    def distill(self) -> DistillResult:
        """Make or load the images; only optimisation and mosaics need teachers."""
        settings = self.recipe.distill
        if self.request.distill_ipc and settings.ipc:
            settings = dataclasses.replace(settings, ipc=self.request.distill_ipc)
        return self._run(
            run_distill,
            settings,
            lambda: DistillInputs(self.dataset, [result.folder for result in self.image_teachers()]),
        )

    def distilled(self) -> DistilledImages:
        """Return the distilled images, ``ipc`` of each class."""
        return load_distilled(self.distill().folder, self.recipe.distill.ipc)

    def relabel(self) -> RelabelResult:
        """Make or load the soft labels."""
        return self._run(
            run_relabel,
            self.recipe.relabel,
            lambda: RelabelInputs(self.distill().folder, [result.folder for result in self.label_teachers()]),
        )

    def evaluate(self) -> EvaluateResult:
        """Train and test a student, or load what it reached."""
        return self._run(
            run_evaluate, self.recipe.evaluate, lambda: EvaluateInputs(self.dataset, self.relabel().folder)
        )

    def row(self) -> dict[str, Any]:
        """Run everything and return the result row (see :data:`fd2lib.record.COLUMNS`)."""
        return result_row(self)

    def record(self, results: str | Path) -> dict[str, Any]:
        """Run everything, add the row to a results file and return it."""
        row = self.row()
        append_result(row, results)
        return row
