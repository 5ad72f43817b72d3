"""Grids: methods × starts × IPC × seeds of one experiment, each finished row written at once."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.request import GridRequest, Request, split_names
from fd2lib.drive.studies import parse_studies, study_requests
from fd2lib.ground import SettingError, join_overrides, load_recipe

logger = logging.getLogger(__name__)


def grid_requests(asked: GridRequest) -> Iterator[Request]:
    """Yield the requests of a grid; all IPC of a method share one distillation of the largest.

    Methods and starts go seed by seed, and a control that is not optimised has no start to cross; studies go arm by
    arm.

    Raises:
        SettingError: nothing is asked for, or an unknown study or arm.
    """
    common, ipcs, seeds = asked.common(), asked.ipcs, asked.seed_list
    if asked.study:
        for study in parse_studies(asked.study):
            yield from study_requests(study, ipcs, seeds, **common)
        return
    methods, starts = split_names(asked.methods), split_names(asked.starts)
    if not methods or not starts:
        raise SettingError(f"methods are {asked.methods!r} and starts {asked.starts!r}; name at least one of each.")
    for seed, method in itertools.product(seeds, methods):
        optimised = load_recipe(asked.scale, dataset=asked.dataset, method=method).distill.iterations > 0
        for start, ipc in itertools.product(starts if optimised else [""], ipcs):
            overrides = join_overrides(asked.overrides, f"distill.start={start}" if start else "")
            changes = {"method": method, "ipc": ipc, "distill_ipc": max(ipcs), "seed": seed, "overrides": overrides}
            yield Request(**common | changes)


def experiments_of(requests: Iterable[Request], progress: bool = True) -> list[Experiment]:
    """Return the experiments of requests, loaded images shared; one warning names overrides that are not followed."""
    made: list[Experiment] = []
    for request in requests:
        fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
        first = made[0] if made else Experiment(progress=progress)
        made.append(first.derived(**fields | {"progress": progress}))
    left_out: dict[str, dict[str, None]] = {}
    for one in made:
        for text in one.recipe.not_followed:
            left_out.setdefault(text, {})[one.recipe.method] = None
    if left_out:
        told = "; ".join(f"{', '.join(methods)}: {text}" for text, methods in left_out.items())
        logger.warning("overrides that some methods do not allow are not followed there: %s", told)
    return made


def run_grid(experiments: Sequence[Experiment], results: str | Path, progress: bool = True) -> list[dict[str, Any]]:
    """Run every experiment, adding each row to ``results`` as soon as it is there; repeats load what exists."""
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
