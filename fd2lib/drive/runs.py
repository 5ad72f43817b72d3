"""Running what is asked for: the experiments of studies, grids and plans, one after the other."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.measuring import measure
from fd2lib.drive.plans import Plan
from fd2lib.drive.request import GridRequest, Request
from fd2lib.drive.studies import Study, grid_requests, study_requests
from fd2lib.ground import SettingError
from fd2lib.ground.paths import require_output
from fd2lib.record import read_rows

logger = logging.getLogger(__name__)


def study_grid(study: Study, ipcs: Sequence[int], seeds: Sequence[int], **common: Any) -> Iterator[Experiment]:
    """Yield a study's experiments in the order of :func:`study_requests`."""
    return _experiments(study_requests(study, ipcs, seeds, **common), None)


def experiments_of(requests: Iterable[Request], progress: bool = True, *, warn: bool = True) -> list[Experiment]:
    """Return the experiments of requests; one warning, where wanted, names overrides that are not followed."""
    made = list(_experiments(requests, Experiment(), progress=progress))
    left_out: dict[str, dict[str, None]] = {}
    for one in made:
        for text in one.recipe.not_followed:
            left_out.setdefault(text, {})[one.recipe.method] = None
    if left_out and warn:
        told = "; ".join(f"{', '.join(methods)}: {text}" for text, methods in left_out.items())
        logger.warning("overrides that some methods do not allow are not followed there: %s", told)
    return made


def _experiments(requests: Iterable[Request], one: Experiment | None, **changes: Any) -> Iterator[Experiment]:
    """Experiments of requests, each derived from the one before; a first that has none is strict about overrides."""
    for request in requests:
        fields = request.only(Request) | changes
        one = (one or Experiment(**fields)).derived(**fields)
        yield one


def require_ready(experiments: Sequence[Experiment], results: str | Path) -> None:
    """Check all that can be known of experiments and of the file that gets their rows, before the first is run.

    Raises:
        SettingError: there are none, or one asks for what there is not, or the file cannot be one of results.
        DataError: images are missing, unreadable or too few.
    """
    if not experiments:
        raise SettingError("no experiment is asked for; name at least one method, seed and number of images per class.")
    require_output(results)
    read_rows(results, missing_ok=True)
    for experiment in experiments:
        experiment.check()


def run_grid(experiments: Sequence[Experiment], results: str | Path, progress: bool = True) -> list[dict[str, Any]]:
    """Run every experiment, adding each row to ``results`` as soon as it is there; repeats load what exists."""
    require_ready(experiments, results)
    rows = []
    for experiment in tqdm(experiments, desc="experiments", unit="student", disable=not progress):
        row = experiment.record(results)
        teachers = f"teacher {row['teacher_kind'] or '-'}, labels {row['label_teacher_kind'] or '-'}"
        place = f"start {row['start']}, student {row['student']}, IPC {row['ipc']}, seed {row['seed']}"
        followed = experiment.request.overrides if not experiment.recipe.not_followed else "some overrides"
        asked = f" ({followed})" if followed else ""
        logger.info("%s, %s, %s%s: %.1f %%", experiment.recipe.title, teachers, place, asked, row["last_top1"])
        rows.append(row)
    return rows


def run_plan(plan: Plan, results: str | Path, progress: bool = True) -> None:
    """Make every row of a plan that is not there yet, adding each to ``results`` as soon as it is there."""
    for part in plan.parts[1:]:  # the last part's slip is told before the first part's days
        if isinstance(part, GridRequest):
            require_ready(experiments_of(grid_requests(part), progress, warn=False), results)
    for part in plan.parts:
        if isinstance(part, GridRequest):
            run_grid(experiments_of(grid_requests(part), progress), results, progress)
        else:
            measure(part, results, progress)
