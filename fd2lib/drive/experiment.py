"""One experiment: four stages run or loaded in order, and the row of what it was asked, reached and cost."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fd2lib.data import Dataset, load_dataset
from fd2lib.drive.asked import asked_images, resolve_recipe
from fd2lib.drive.checks import require_ready
from fd2lib.drive.request import Request, todays_names
from fd2lib.drive.row import Finished, result_row
from fd2lib.ground import DistillSettings, PretrainSettings, Recipe, is_first
from fd2lib.ground.ranks import first_alone
from fd2lib.models import Teacher
from fd2lib.models.teacher import DESCRIPTION, WEIGHTS
from fd2lib.record import intact, put_rows, run_or_load
from fd2lib.record.manifest import MANIFEST
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

logger = logging.getLogger(__name__)


class Experiment:
    """Runs or loads the stages of one request; every method loads what is there and makes what is not."""

    def __init__(self, *, recipe: Recipe | None = None, **request: Any) -> None:
        """Resolve what the fields of a :class:`Request` ask, unless a recipe is given in place of it.

        Raises:
            SettingError: an unknown scale, method or setting, or one that the method does not allow.
        """
        self.request = Request(**todays_names(request, Request))
        self.recipe = recipe or resolve_recipe(self.request)
        asked_images(self.request, self.recipe)
        self.device = resolve_device(self.request.device)
        self._datasets: dict[tuple[Any, ...], Dataset] = {}
        self._is_ready = False
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
        request = dataclasses.replace(self.request, **todays_names(changes, Request))
        other = Experiment(recipe=resolve_recipe(request, strict=False), **request.only(Request))
        other._datasets = self._datasets
        return other

    @property
    def dataset(self) -> Dataset:
        """The image set; experiments derived from one another load the same images once.

        Raises:
            DataError: it is not there, or not as it should be.
        """
        recipe, asked = self.recipe, self.request
        key = (recipe.dataset, recipe.classes, recipe.image_size, asked.data_root, asked.image_set)
        if key not in self._datasets:
            root, name = asked.data_root, asked.image_set
            self._datasets[key] = first_alone(
                lambda: load_dataset(recipe.dataset, root, recipe.image_size, recipe.classes, image_set=name)
            )
            _tell_report(self._datasets[key])
        return self._datasets[key]

    def check(self) -> None:
        """Check what can be known before anything is computed; see :func:`fd2lib.drive.checks.require_ready`."""
        if not self._is_ready:
            require_ready(self.recipe, self.distill_settings, self.dataset, self.request.runs_dir, self.device)
        self._is_ready = True

    def _run(self, stage: Any, settings: Any, make_inputs: Callable[[], Any]) -> Any:
        asked, key = self.request, (stage.__name__, settings)

        def checked(settings: Any, inputs: Any, folder: Path, **how: Any) -> Any:
            if not (folder / MANIFEST).is_file():  # what is finished is loaded, wherever its weights are today
                self.check()
            return stage(settings, inputs, folder, **how)

        if key not in self._results:
            self._results[key] = run_or_load(
                checked, settings, make_inputs(), asked.runs_dir, device=self.device, progress=asked.progress
            )
        return self._results[key]

    def _pretrain(self, teachers: Sequence[PretrainSettings]) -> list[PretrainResult]:
        return [self._run(run_pretrain, settings, lambda: PretrainInputs(self.dataset)) for settings in teachers]

    def pretrain(self, settings: PretrainSettings | None = None) -> PretrainResult:
        """Train or load a teacher; by default the method's, the first where there are several."""
        return self._pretrain([settings or self.recipe.pretrain])[0]

    def teacher(self) -> Teacher:
        """Return the method's teacher, the first where there are several, in evaluation mode."""
        folder = intact(self.pretrain().folder, "pretrain", WEIGHTS, DESCRIPTION)
        return Teacher.load(folder, self.device).eval()

    def image_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the images need; none for real images."""
        return self._pretrain(self.recipe.image_teachers)

    def label_teachers(self) -> list[PretrainResult]:
        """Train or load the teachers that the labels need; none for true classes."""
        return self._pretrain(self.recipe.label_teachers)

    def scorer(self) -> PretrainResult | None:
        """Train or load the teacher that scores the crops of mosaics; none where the images' own does."""
        settings = self.recipe.scorer_settings
        return self.pretrain(settings) if settings else None

    @property
    def distill_settings(self) -> DistillSettings:
        """See :func:`asked_images`."""
        return asked_images(self.request, self.recipe)

    def distill(self) -> DistillResult:
        """Make or load the images; only optimisation and mosaics need teachers."""

        def inputs() -> DistillInputs:
            teachers, scorer = self.image_teachers(), self.scorer()
            return DistillInputs(self.dataset, [one.folder for one in teachers], scorer.folder if scorer else None)

        return self._run(run_distill, self.distill_settings, inputs)

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
        images, labels, student = self.distill(), self.relabel(), self.evaluate()
        makers, labellers = self.image_teachers(), self.label_teachers()
        asked = self.recipe, self.dataset, self.distill_settings
        return result_row(Finished(*asked, makers, labellers, images, labels, student))

    def record(self, results: str | Path) -> dict[str, Any]:
        """Run everything, add the row to a results file and return it."""
        row = self.row()
        put_rows([row], results)
        return row


@functools.lru_cache(maxsize=1000)
def _warn_once(text: str) -> None:
    logger.warning("%s", text)


def _tell_report(data: Dataset) -> None:
    """Say before anything is computed what was found on loading, and warn of what is amiss."""
    for line in data.report if is_first() else ():
        logger.log(logging.WARNING if line in data.warnings else logging.INFO, "%s: %s", data.image_set, line)
