"""Plans: what a file of results holds, as requests that make exactly its rows."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.drive.grid import experiments_of, grid_requests, run_grid
from fd2lib.drive.measuring import MEASURED, MeasureRequest
from fd2lib.drive.request import GridRequest, Machine, todays_names
from fd2lib.drive.studies import by_identity, request_identity
from fd2lib.ground import SettingError, read_tables, unknown
from fd2lib.record import STUDENTS, TABLES, Table, read_rows

KINDS: dict[str, type[GridRequest] | type[MeasureRequest]] = {STUDENTS.name: GridRequest, **MEASURED}


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
        places = {field.name: getattr(machine, field.name) for field in dataclasses.fields(Machine)}
        return dataclasses.replace(self, parts=tuple(dataclasses.replace(part, **places) for part in self.parts))


def list_plans() -> dict[str, str]:
    """Return every plan's name and title."""
    return {name: table["title"] for name, table in read_tables("plans").items()}


def load_plan(name: str) -> Plan:
    """Return a plan.

    Raises:
        SettingError: there is none of that name, or it says something that there is not.
    """
    tables = read_tables("plans")
    if name not in tables:
        raise SettingError(unknown("plan", name, tables))
    given: dict[str, Any] = dict(tables[name])
    title, file, rows, parts = (given.pop(key) for key in ("title", "file", "rows", "parts"))
    if rows not in KINDS:
        raise SettingError(f"plan {name!r}: {unknown('kind of rows', rows, KINDS)}")
    made = tuple(_part(KINDS[rows], {**given, **part}) for part in parts)
    return Plan(name, title, file, TABLES[rows], made)


def _part(kind: Any, given: Mapping[str, Any]) -> Any:
    return kind(**todays_names(given, kind))


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


def plan_rows(name: str, path: str | Path) -> list[Mapping[str, str]]:
    """Return the students' rows of a plan, of those in a file, in the plan's order.

    Raises:
        SettingError: no such plan, or it is not of students.
    """
    plan = load_plan(name)
    if plan.table is not STUDENTS:
        raise SettingError(f"plan {name!r} is of {plan.table.name}; expected one of {STUDENTS.name}.")
    known = by_identity(read_rows(path))
    return [known[key] for key in planned(plan) if key in known]
