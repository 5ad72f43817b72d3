"""Plans: what a file of results holds, as requests of grids or measurements that make exactly its rows."""

import dataclasses
import itertools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import image_set_name
from fd2lib.drive.asked import resolve_recipe
from fd2lib.drive.request import (
    AttentionRequest,
    Common,
    GeometryRequest,
    GridRequest,
    Machine,
    MeasureRequest,
    Request,
    todays_names,
)
from fd2lib.drive.studies import OWN, grid_requests, parse_starts, request_identity
from fd2lib.ground import (
    Recipe,
    SettingError,
    join_overrides,
    list_methods,
    parse_names,
    parse_numbers,
    read_tables,
    read_toml,
    require,
    setting_values,
    shortened,
    unknown,
)
from fd2lib.record import ATTENTION, GEOMETRY, STUDENTS, TABLES, Table

TEACHERS = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}  # kind of teacher -> a method that uses it
logger = logging.getLogger(__name__)


def measured(request: MeasureRequest) -> Iterator[tuple[str, ...]]:
    """Yield what the rows are of: scale, images, network, seed, and kind of teacher or method, start and IPC."""
    if isinstance(request, AttentionRequest):
        for seed, (kind, method) in itertools.product(parse_numbers("seeds", request.seeds), TEACHERS.items()):
            yield (*_place(request, _recipe(request, method, seed)), str(seed), kind)
    elif isinstance(request, GeometryRequest):
        for seed, method, start in measured_sets(request):
            recipe = _recipe(request, method, seed, start)
            yield (*_place(request, recipe), str(seed), method, recipe.distill.start, str(request.ipc))


def _recipe(request: MeasureRequest, method: str, seed: int, extra: str = "") -> Recipe:
    fields = request.only(Common) | {"overrides": join_overrides(request.overrides, extra)}
    return resolve_recipe(Request(**fields, method=method, seed=seed), strict=False)


def _place(request: MeasureRequest, recipe: Recipe) -> tuple[str, ...]:
    name = image_set_name(recipe.dataset, request.data_root, request.image_set)
    init = setting_values(recipe.pretrain)["init"]
    return (recipe.scale, recipe.dataset, name, recipe.classes, str(recipe.image_size), recipe.backbone, init)


def measured_sets(request: GeometryRequest) -> Iterator[tuple[int, str, str]]:
    """Yield seed, method and the override of its start."""
    seeds, methods = parse_numbers("seeds", request.seeds), parse_names("methods", request.methods, list_methods())
    for seed, method in itertools.product(seeds, methods):
        optimised = _recipe(request, method, seed).distill.iterations > 0
        for start in parse_starts(request.starts) if optimised else [""]:
            yield seed, method, f"distill.start={start}" if start not in ("", OWN) else ""


# Columns of the rows that say which runs they are of, as measured yields them.
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
    titles: tuple[str, ...] = ()  # of the parts; empty texts where one needs none

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", self.titles or ("",) * len(self.parts))

    def on(self, machine: Machine) -> "Plan":
        """Return the plan with the folders and device of a machine."""
        parts = tuple(dataclasses.replace(part, **machine.only(Machine)) for part in self.parts)
        return dataclasses.replace(self, parts=parts)

    def of_seeds(self, seeds: str) -> "Plan":
        """Return the plan's work for some of its seeds; an empty text asks for all.

        Raises:
            SettingError: a seed that the plan does not have, or measurements, which compare seeds with each other.
        """
        if not seeds:
            return self
        own = [parse_numbers("seeds", part.seeds) for part in self.parts]
        asked, kept = parse_numbers("seeds", seeds), list[tuple[GridRequest | MeasureRequest, str]]()
        for seed in asked:
            require(f"seed of plan {self.name!r}", seed, sorted(set(itertools.chain.from_iterable(own))))
        for part, title, there in zip(self.parts, self.titles, own, strict=True):
            if not isinstance(part, GridRequest):
                raise SettingError(f"plan {self.name!r} compares its seeds with each other; leave --seeds away.")
            if some := [seed for seed in there if seed in asked]:
                kept.append((dataclasses.replace(part, seeds=",".join(map(str, some))), title))
        return dataclasses.replace(self, parts=tuple(part for part, _ in kept), titles=tuple(one for _, one in kept))


def list_plans() -> dict[str, str]:
    """Return every plan's name and title."""
    return {name: table["title"] for name, table in read_tables("plans").items()}


def load_plan(name: str) -> Plan:
    """Return a plan: a declared one, or that of a TOML file, which holds what a table of ``plans.toml`` does.

    A file may leave out the title, what its rows are of (students) and their file's name (``runs.csv``), and the parts
    where there is one. A part can have a title of its own.

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
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise SettingError(f"plan {name!r}: parts is {shortened(parts)}; expected tables, each under [[parts]].")
    for key, text in {"title": title, "file": file, "rows": rows}.items():
        if not isinstance(text, str) or not text.strip():
            raise SettingError(f"plan {name!r}: {key} is {shortened(text)}; expected a text, or leave it away.")
    if rows not in KINDS:
        raise SettingError(f"plan {name!r}: {unknown('kind of rows', rows, KINDS)}")
    kind = KINDS[rows]
    titles = tuple(str(part.get("title", "")) for part in parts)
    options = [{**given, **part} for part in parts]
    try:
        made = tuple(kind(**todays_names({key: one[key] for key in one if key != "title"}, kind)) for one in options)
    except SettingError as error:
        raise SettingError(f"plan {name!r}: {error}") from error
    return Plan(name, title, file, TABLES[rows], made, titles)


def _read_plan(path: str) -> dict[str, Any]:
    """The table of a user's file; folders and devices are not a plan's, which runs anywhere."""
    told = read_toml(os.path.expanduser(path), "a plan")
    parts = told.get("parts", [])
    tables = [told, *(part for part in parts if isinstance(part, dict))] if isinstance(parts, list) else [told]
    for field in dataclasses.fields(Machine):
        if any(field.name in table for table in tables):
            raise SettingError(f"{path} says {field.name}, which is its caller's; take it out and give it apart.")
    return told


def planned(plan: Plan) -> list[tuple[str, ...]]:
    """Return what a plan's rows are of, each once: students by their identity, measured rows by what is measured."""
    found: dict[tuple[str, ...], None] = {}
    for part in plan.parts:
        if isinstance(part, GridRequest):
            found |= dict.fromkeys(request_identity(request) for request in grid_requests(part))
        else:
            found |= dict.fromkeys(measured(part))
    return list(found)
