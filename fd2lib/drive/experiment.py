"""One experiment: four stages run or loaded in order, for notebooks, the command line and grids alike."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fd2lib.data import Dataset, load_dataset
from fd2lib.drive.plugins import load_additions
from fd2lib.drive.request import Request
from fd2lib.drive.rows import Finished, result_row
from fd2lib.ground import DistillSettings, PretrainSettings, Recipe, load_recipe
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

_OF_RECIPE = (
    *("dataset", "method", "backbone", "ipc", "seed", "image_size", "bundle", "overrides"),
    *("teacher_kind", "label_teacher_kind", "teacher_backbones", "student"),
)
logger = logging.getLogger(__name__)


def resolve_recipe(request: Request, strict: bool = True) -> Recipe:
    """Return the recipe of a request.

    Args:
        request: what is asked.
        strict: as of :func:`fd2lib.ground.load_recipe`.

    Raises:
        SettingError: an unknown scale, method, teacher or setting.
    """
    load_additions(request)
    given = {name: getattr(request, name) for name in _OF_RECIPE}
    return load_recipe(request.scale, classes=request.classes or None, strict=strict, **given)


class Experiment:
    """Runs or loads the stages of one request; every method loads what is there and makes what is not."""

    def __init__(self, *, recipe: Recipe | None = None, **request: Any) -> None:
        """Resolve what is asked.

        Args:
            recipe: in place of the one that the request names.
            **request: fields of :class:`Request`.

        Raises:
            SettingError: an unknown scale, method or setting, or one that the method does not allow.
        """
        self.request = Request(**request)
        self.recipe = recipe or resolve_recipe(self.request)
        self.device = resolve_device(self.request.device)
        self._results: dict[tuple[str, Any], Any] = {}  # stages need each other's results; each is run or loaded once

    def with_(self, **changes: Any) -> "Experiment":
        """Return the same experiment with some fields of the request changed; loaded images are shared.

        Overrides that another method does not allow are left out and named in ``recipe.not_followed``, with a warning.
        """
        other = self.derived(**changes)
        if other.recipe.not_followed:
            _warn_once(f"{other.recipe.title}: not followed: {'; '.join(other.recipe.not_followed)}")
        return other

    def derived(self, **changes: Any) -> "Experiment":
        """Return :meth:`with_` without its warning, for grids, which warn once."""
        request = dataclasses.replace(self.request, **changes)
        fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
        other = Experiment(recipe=resolve_recipe(request, strict=False), **fields)
        if "dataset" in self.__dict__ and _images_of(other) == _images_of(self):
            other.__dict__["dataset"] = self.dataset
        return other

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The image set."""
        recipe, asked = self.recipe, self.request
        return load_dataset(
            recipe.dataset, asked.data_root, recipe.image_size, recipe.classes, image_set=asked.image_set
        )

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
        return self._pretrain(self.recipe.teacher_settings[:1])[0]

    def teacher(self) -> Teacher:
        """Return the method's teacher, the first where there are several, in evaluation mode."""
        return Teacher.load(self.pretrain().folder, self.device).eval()

    def image_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the images need; none for real images."""
        return self._pretrain(self.recipe.teacher_settings if self.recipe.needs_image_teachers else ())

    def label_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the labels need; none for true classes."""
        return self._pretrain(self.recipe.label_teacher_settings if self.recipe.needs_label_teachers else ())

    @property
    def distill_settings(self) -> DistillSettings:
        """The recipe's, with as many images per class as the request asks to distill."""
        settings = self.recipe.distill
        return dataclasses.replace(settings, ipc=(self.request.distill_ipc or settings.ipc) if settings.ipc else 0)

    def distill(self) -> DistillResult:
        """Make or load the images; only optimisation and mosaics need teachers."""
        return self._run(
            run_distill,
            self.distill_settings,
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
        """Run everything and return the result row (see :data:`fd2lib.record.STUDENTS`)."""
        done = Finished(
            recipe=self.recipe,
            dataset=self.dataset,
            distill_ipc=self.distill_settings.ipc,
            images=self.distill(),
            labels=self.relabel(),
            student=self.evaluate(),
            makers=self.image_teachers(),
            labellers=self.label_teachers(),
        )
        return result_row(done)

    def record(self, results: str | Path) -> dict[str, Any]:
        """Run everything, add the row to a results file and return it."""
        row = self.row()
        append_result(row, results)
        return row


def _images_of(experiment: Experiment) -> tuple[Any, ...]:
    """What the images of an experiment follow from."""
    recipe, asked = experiment.recipe, experiment.request
    return recipe.dataset, recipe.classes, recipe.image_size, asked.data_root, asked.image_set


@functools.lru_cache(maxsize=1000)
def _warn_once(text: str) -> None:
    logger.warning("%s", text)
