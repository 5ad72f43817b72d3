"""The tables of results: every column is declared once, in ``columns.toml``."""

import builtins
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Column:
    """One column of a table of results."""

    meaning: str
    kind: type = str  # what pages read it as: str, int or float; an empty cell of a number is not known
    group: bool = False  # rows that differ in it are never averaged, nor seeds of one another
    formerly: str = ""  # its name in files that exist


@dataclass(frozen=True)
class Table:
    """A kind of results file."""

    name: str  # of the kind of rows
    title: str  # what one row is
    columns: Mapping[str, Column]  # by name, in their order
    key: tuple[str, ...]  # columns that say what a row is of; one that agrees in them is the same, measured again

    @property
    def groups(self) -> list[str]:
        """Columns that rows must agree in to be compared or averaged."""
        return [name for name, column in self.columns.items() if column.group]

    def named(self, name: str) -> str:
        """Return today's name of a column of a file that exists."""
        today = (own for own, column in self.columns.items() if column.formerly == name)
        return name if name in self.columns else next(today, name)


def _read() -> dict[str, Table]:
    declared = tomllib.loads(resources.files("fd2lib.record").joinpath("columns.toml").read_text(encoding="utf-8"))
    found = {}
    for name, table in declared["tables"].items():
        columns = {
            column: Column(**{**told, "kind": getattr(builtins, told.get("kind", "str"))})
            for part in table["parts"]
            for column, told in declared["columns"][part].items()
        }
        found[name] = Table(name, table["title"], columns, tuple(table["key"]))
    return found


TABLES = _read()
STUDENTS, ATTENTION, GEOMETRY = TABLES["students"], TABLES["attention"], TABLES["geometry"]
BENCH, PROFILE = TABLES["bench"], TABLES["profile"]
