"""Measuring teachers and sets of images: rows of attention and of geometry, seed by seed."""

import itertools
import logging
from pathlib import Path

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.plans import TEACHERS, measured, measured_sets
from fd2lib.drive.request import AttentionRequest, Common, GeometryRequest, MeasureRequest
from fd2lib.ground import SettingError, join_overrides, parse_numbers
from fd2lib.ground.paths import require_output
from fd2lib.measure import attention_rows, fixed_spaces, geometry_rows, judge_space, part_masks
from fd2lib.measure.measured import OCCLUDED, RADIUS
from fd2lib.record import ATTENTION, GEOMETRY, put_rows, read_rows

logger = logging.getLogger(__name__)


def measure(request: MeasureRequest, results: str | Path, progress: bool = True) -> None:
    """Measure what is asked for, adding each seed's rows to ``results`` at once; runs are made if they are missing."""
    require_output(results)
    table = ATTENTION if isinstance(request, AttentionRequest) else GEOMETRY
    read_rows(results, table, missing_ok=True)
    list(measured(request))  # each seed's settings
    if isinstance(request, AttentionRequest):
        _measure_attention(request, results, progress)
    elif isinstance(request, GeometryRequest):
        _measure_geometry(request, results, progress)


def _measure_attention(request: AttentionRequest, results: str | Path, progress: bool) -> None:
    """Load or train the teachers of each seed; one row for each kind of map."""
    first = Experiment(**request.only(Common), progress=progress)
    first.check()
    parts = part_masks(first.dataset, request.data_root, request.radius or RADIUS)
    for seed, (kind, method) in itertools.product(parse_numbers("seeds", request.seeds), TEACHERS.items()):
        rows = attention_rows(first.with_(seed=seed, method=method), parts, request.occluded or OCCLUDED)
        put_rows(rows, results, ATTENTION)
        logger.info("seed %d, %s: %s", seed, kind, ", ".join(f"{r['map']} {r['mass']:.1f} %" for r in rows))


def _measure_geometry(request: GeometryRequest, results: str | Path, progress: bool) -> None:
    """Load or make the images of each seed, method and start; the next seed's teacher judges."""
    first = Experiment(**request.only(Common), progress=progress, ipc=request.ipc, distill_ipc=request.distill_ipc)
    if request.ipc < 2:
        raise SettingError(f"ipc is {request.ipc}; expected at least 2, as images of a class are compared.")
    first.check()
    fixed, seeds = fixed_spaces(first), parse_numbers("seeds", request.seeds)
    for seed, sets in itertools.groupby(measured_sets(request), key=lambda one: one[0]):
        place = seeds.index(seed)
        judge = seeds[(place + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
        spaces = [*fixed, judge_space(first.with_(seed=seed), judge, request.judge_backbone)]
        for _, method, start in sets:
            overrides = join_overrides(request.overrides, start)
            one = first.with_(method=method, seed=seed, overrides=overrides)
            put_rows(geometry_rows(one, spaces), results, GEOMETRY)
            logger.info("seed %d, %s, %s: measured", seed, method, start or "whole")
