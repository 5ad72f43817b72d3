"""Plans: what a file of results holds, as requests of grids or measurements that make exactly its rows."""

import dataclasses
import itertools
import logging
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import image_set_name
from fd2lib.drive.experiment import Experiment, resolve_recipe
from fd2lib.drive.request import Common, GridRequest, Machine, Request, option, split_names, todays_names
from fd2lib.drive.studies import experiments_of, grid_requests, request_identity, run_grid
from fd2lib.ground import (
    SCALES,
    Recipe,
    SettingError,
    join_overrides,
    parse_numbers,
    read_tables,
    require,
    setting_values,
    unknown,
)
from fd2lib.measure import attention_rows, fixed_spaces, geometry_rows, judge_space, part_masks
from fd2lib.measure.measured import OCCLUDED, RADIUS
from fd2lib.record import ATTENTION, GEOMETRY, STUDENTS, TABLES, Table, put_rows

TEACHERS = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}  # kind of teacher -> a method that uses it
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MeasureRequest(Common):
    """What every measurement of teachers or distilled images is asked."""

    scale: str = option("reduced", "toy (embedded images), reduced (two CPU cores) or paper (a GPU)", choices=SCALES)
    seeds: str = option("0,1,2", "seeds")

    def measure(self, results: str | Path, progress: bool = True) -> None:
        """Measure, writing each seed's rows at once."""
        raise NotImplementedError

    def measured(self) -> Iterator[tuple[str, ...]]:
        """Yield what the rows are of: the columns that say which runs are measured."""
        raise NotImplementedError

    def _seeds(self) -> list[int]:
        return parse_numbers("seeds", self.seeds)

    def _recipe(self, method: str, seed: int, extra: str = "") -> Recipe:
        fields = self.only(Common) | {"overrides": join_overrides(self.overrides, extra)}
        return resolve_recipe(Request(**fields, method=method, seed=seed), strict=False)

    def _place(self, recipe: Recipe) -> tuple[str, ...]:
        name = image_set_name(recipe.dataset, self.data_root, self.image_set)
        init = setting_values(recipe.pretrain)["init"]
        return (recipe.scale, recipe.dataset, name, recipe.classes, str(recipe.image_size), recipe.backbone, init)


@dataclass(frozen=True, kw_only=True)
class AttentionRequest(MeasureRequest):
    """How much of the teachers' attention lies on the parts of the bird, with and without attention head."""

    radius: float = option(RADIUS, "of discs around parts, share of the image's side")
    occluded: int = option(OCCLUDED, "images that are occluded place by place")

    def measure(self, results: str | Path, progress: bool = True) -> None:
        """Load or train the teachers of each seed; one row for each kind of map."""
        first = Experiment(**self.only(Common), progress=progress)
        parts = part_masks(first.dataset, self.data_root, self.radius)
        for seed, (kind, method) in itertools.product(self._seeds(), TEACHERS.items()):
            rows = attention_rows(first.with_(seed=seed, method=method), parts, self.occluded)
            put_rows(rows, results, ATTENTION)
            logger.info("seed %d, %s: %s", seed, kind, ", ".join(f"{r['map']} {r['mass']:.1f} %" for r in rows))

    def measured(self) -> Iterator[tuple[str, ...]]:
        """Yield scale, images, network, seed and kind of teacher of the rows."""
        for seed, (kind, method) in itertools.product(self._seeds(), TEACHERS.items()):
            yield (*self._place(self._recipe(method, seed)), str(seed), kind)


@dataclass(frozen=True, kw_only=True)
class GeometryRequest(MeasureRequest):
    """How diverse, how distinct and how new images are, in pixels and in networks that made none of them."""

    methods: str = option("random,sre2lpp,sre2lpp_fd2", "methods, as `fd2lib recipes` lists them")
    starts: str = option("whole,pool2", "what optimisation starts from, of methods that optimise")
    ipc: int = option(3, "images per class, at least 2")
    distill_ipc: int = option(0, "images per class of the run that they are the first of; by default ipc")
    judge_backbone: str = option("", "network of the judging teacher; by default the same")

    def _sets(self) -> Iterator[tuple[int, str, str]]:
        """Seed, method and the override of its start."""
        for seed, method in itertools.product(self._seeds(), split_names(self.methods)):
            optimised = self._recipe(method, seed).distill.iterations > 0
            for start in split_names(self.starts) if optimised else [""]:
                yield seed, method, f"distill.start={start}" if start else ""

    def measure(self, results: str | Path, progress: bool = True) -> None:
        """Load or make the images of each seed, method and start; the next seed's teacher judges."""
        first = Experiment(**self.only(Common), progress=progress, ipc=self.ipc, distill_ipc=self.distill_ipc)
        fixed, seeds = fixed_spaces(first), self._seeds()
        for seed, sets in itertools.groupby(self._sets(), key=lambda one: one[0]):
            place = seeds.index(seed)
            judge = seeds[(place + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
            spaces = [*fixed, judge_space(first.with_(seed=seed), judge, self.judge_backbone)]
            for _, method, start in sets:
                overrides = join_overrides(self.overrides, start)
                one = first.with_(method=method, seed=seed, overrides=overrides)
                put_rows(geometry_rows(one, spaces), results, GEOMETRY)
                logger.info("seed %d, %s, %s: measured", seed, method, start or "whole")

    def measured(self) -> Iterator[tuple[str, ...]]:
        """Yield scale, images, network, seed, method, start and IPC of the rows."""
        for seed, method, start in self._sets():
            recipe = self._recipe(method, seed, start)
            yield (*self._place(recipe), str(seed), method, recipe.distill.start, str(self.ipc))


# Columns of the rows that say which runs they are of, as MeasureRequest.measured yields them.
_PLACE = ("scale", "dataset", "image_set", "classes", "image_size", "backbone", "init", "seed")
MEASURED_BY = {ATTENTION.name: (*_PLACE, "teacher_kind"), GEOMETRY.name: (*_PLACE, "method", "start", "ipc")}
KINDS: dict[str, type[GridRequest] | type[MeasureRequest]] = {
    STUDENTS.name: GridRequest,
    ATTENTION.name: AttentionRequest,
    GEOMETRY.name: GeometryRequest,
}


@dataclass(frozen=True)
class Plan:
    """Requests whose rows, together, are one file of results."""

    name: str
    title: str
    file: str  # of the committed rows, below the project
    table: Table
    parts: tuple[GridRequest | MeasureRequest, ...]

    def on(self, machine: Machine) -> "Plan":
        """Return the plan with the folders and device of a machine."""
        parts = tuple(dataclasses.replace(part, **machine.only(Machine)) for part in self.parts)
        return dataclasses.replace(self, parts=parts)


def list_plans() -> dict[str, str]:
    """Return every plan's name and title."""
    return {name: table["title"] for name, table in read_tables("plans").items()}


def load_plan(name: str) -> Plan:
    """Return a plan: a declared one, or that of a TOML file, which holds what a table of ``plans.toml`` does.

    A file may leave out the title, what its rows are of (students) and their file's name (``runs.csv``), and the parts
    where there is one.

    Raises:
        SettingError: there is none of that name, or it says something that there is not.
    """
    given: dict[str, Any] = {"title": Path(name).stem, "file": "runs.csv", "rows": STUDENTS.name, "parts": [{}]}
    if name.endswith(".toml"):
        given |= _read_plan(name)
    else:
        tables = read_tables("plans")
        require("plan", name, tables)
        given |= tables[name]
    title, file, rows, parts = (given.pop(key) for key in ("title", "file", "rows", "parts"))
    if rows not in KINDS:
        raise SettingError(f"plan {name!r}: {unknown('kind of rows', rows, KINDS)}")
    kind = KINDS[rows]
    made = tuple(kind(**todays_names({**given, **part}, kind)) for part in parts)
    return Plan(name, title, file, TABLES[rows], made)


def _read_plan(path: str) -> dict[str, Any]:
    """The table of a user's file; folders and devices are not a plan's, which runs anywhere."""
    try:
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"cannot read a plan from {path} ({error}); expected a TOML file.") from error
    parts = told.get("parts", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise SettingError(f"{path}: parts is {parts!r}; expected tables, each under [[parts]].")
    for field in dataclasses.fields(Machine):
        if any(field.name in table for table in (told, *parts)):
            raise SettingError(f"{path} says {field.name}, which is its caller's; take it out and give it apart.")
    return told


def run_plan(plan: Plan, results: str | Path, progress: bool = True) -> None:
    """Make every row of a plan that is not there yet, adding each to ``results`` as soon as it is there."""
    for part in plan.parts:
        if isinstance(part, GridRequest):
            run_grid(experiments_of(grid_requests(part), progress), results, progress)
        else:
            part.measure(results, progress)


def planned(plan: Plan) -> list[tuple[str, ...]]:
    """Return what a plan's rows are of, each once: students by their identity, measured rows by what is measured."""
    found: dict[tuple[str, ...], None] = {}
    for part in plan.parts:
        if isinstance(part, GridRequest):
            found |= dict.fromkeys(request_identity(request) for request in grid_requests(part))
        else:
            found |= dict.fromkeys(part.measured())
    return list(found)
