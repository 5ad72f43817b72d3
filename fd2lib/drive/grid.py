"""Grids: methods × starts × IPC × seeds of one experiment, each finished row written at once."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from fd2lib.drive.experiment import Experiment, join_settings
from fd2lib.ground import load_recipe

logger = logging.getLogger(__name__)


def grid(
    methods: Sequence[str], starts: Sequence[str], ipcs: Sequence[int], seeds: Sequence[int], **request: Any
) -> Iterator[Experiment]:
    """Yield the experiments of a grid, seed by seed; a control that is not optimised has no start to cross.

    All IPC of a method share one distillation of the largest, of which smaller sets are prefixes.
    """
    shared: Experiment | None = None
    for seed, method in itertools.product(seeds, methods):
        for start, ipc in itertools.product(_starts_of(method, starts, request), ipcs):
            settings = join_settings(request.get("settings", ""), f"distill.start={start}" if start else "")
            changes = dict(request, method=method, ipc=ipc, distill_ipc=max(ipcs), seed=seed, settings=settings)
            experiment = shared.with_(**changes) if shared else Experiment(**changes)
            shared = shared or experiment
            yield experiment


def _starts_of(method: str, starts: Sequence[str], request: dict[str, Any]) -> Sequence[str]:
    recipe = load_recipe(request.get("scale", "toy"), dataset=request.get("dataset", "plumage"), method=method)
    return starts if recipe.distill.iterations else [""]


def run_grid(experiments: Sequence[Experiment], results: str | Path, progress: bool = True) -> list[dict[str, Any]]:
    """Run every experiment, adding each row to ``results`` as soon as it is there; repeats load what exists."""
    rows = []
    for experiment in tqdm(experiments, desc="experiments", unit="student", disable=not progress):
        row = experiment.record(results)
        teachers = f"teacher {row['teacher_kind'] or '-'}, labels {row['label_teacher'] or '-'}"
        place = f"start {row['start']}, student {row['student']}, IPC {row['ipc']}, seed {row['seed']}"
        asked = f" ({experiment.request.settings})" if experiment.request.settings else ""
        logger.info("%s, %s, %s%s: %.1f %%", experiment.recipe.title, teachers, place, asked, row["last_top1"])
        rows.append(row)
    return rows
