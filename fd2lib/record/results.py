"""Result rows: read, added and compared by what they mean.

Two rows are of one identity when they are of the same images and settings, whatever the version that wrote them called
these and however many settings have been added since. Such rows are the same student, or the same student made again
(with other kernels, say): the first replaces, the second is refused where numbers are made of rows.
"""

import csv
import functools
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from fd2lib.ground import (
    ArtefactError,
    SettingError,
    is_first,
    locked,
    remove_leftovers,
    require_file,
    shortened,
    unknown,
    write_text,
)
from fd2lib.ground.by_stage import STAGES
from fd2lib.ground.declaration import identifying, setting_fields
from fd2lib.record.columns import STUDENTS, Table

# What the settings of a row were called before.
_FORMERLY = {"teachers": "teacher_settings", "label_teachers": "label_teacher_settings"}
_PATIENCE = timedelta(minutes=30)  # a table is held for as long as it takes to write
logger = logging.getLogger(__name__)


def row_identity(row: Mapping[str, Any], table: Table = STUDENTS) -> tuple[str, ...]:
    """Return what a row is of: images and settings of a student, or what was measured and where.

    The fingerprint of the images is not part of it: rows made before it was recorded have none. Rows that agree here
    and have different ones are of different images (see :func:`doubles`).
    """
    return tuple(
        settings_identity(str(row[name])) if name == "settings" else str(row[name])
        for name in table.key
        if name != "images_fingerprint"
    )


def settings_identity(text: str) -> str:
    """Return the settings of a row in the one form that is compared, from their JSON of any version.

    A setting added later counts only where it has another value than runs had before it existed.

    Raises:
        ArtefactError: no JSON object of objects.
    """
    return _identity_of(text, tuple(STAGES.values()))


@functools.lru_cache(maxsize=100_000)
def _identity_of(text: str, stages_known: tuple[type, ...]) -> str:
    del stages_known  # settings may be declared at any time; what was read before counts as before
    try:
        given = json.loads(text)
        stages = {_FORMERLY.get(name, name): value for name, value in given.items()}
    except (ValueError, AttributeError) as error:
        raise ArtefactError(f"a row's settings are {text[:80]!r}; expected a JSON object of stages.") from error
    return json.dumps({name: _identifying(name, value) for name, value in stages.items()}, sort_keys=True)


def _identifying(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_identifying("pretrain", one) for one in value]
    return identifying(setting_fields(STAGES[name]), value) if name in STAGES and isinstance(value, dict) else value


def doubles(rows: Iterable[Mapping[str, Any]], table: Table = STUDENTS) -> list[tuple[int, int]]:
    """Return the places of rows that are of one identity, as pairs of a row and a later one."""
    found: list[tuple[int, int]] = []
    seen: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for place, row in enumerate(rows):
        images = str(row.get("images_fingerprint", ""))
        for earlier, other in seen.setdefault(row_identity(row, table), []):
            if images == other or not images or not other:
                found.append((earlier, place))
        seen[row_identity(row, table)].append((place, images))
    return found


def require_single(rows: Sequence[Mapping[str, Any]], source: str | Path, table: Table = STUDENTS) -> None:
    """Check that no two rows are of one identity, before numbers are made of them.

    Raises:
        ArtefactError: naming the first two.
    """
    for first, second in doubles(rows, table):
        told = [
            f"line {place + 2} ({rows[place].get('date')}, commit {rows[place].get('commit')})"
            for place in (first, second)
        ]
        raise ArtefactError(
            f"{source} holds the same experiment twice: {told[0]} and {told[1]}. "
            "Means would count it as two seeds; take one of the two lines out."
        )


def put_rows(rows: Sequence[Mapping[str, object]], path: str | Path, table: Table = STUDENTS) -> None:
    """Add rows, with a value for each column, to a CSV table; each replaces what is there of its identity and run.

    A row of one identity but of another run, made with other kernels say, stays, and a warning names both. The file is
    made when missing; one with fewer columns, or columns under earlier names, is written with today's. Of several
    processes the first writes.

    Raises:
        SettingError: a row lacks a column or has one too many.
        ArtefactError: the file has other columns, or could not be written.
    """
    for row in rows:
        if wrong := set(table.columns) ^ row.keys():
            raise SettingError(f"row and columns differ in {', '.join(sorted(wrong))}; give exactly the columns.")
    if not is_first():
        return
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), _PATIENCE):
            _put(rows, path, table)
    except OSError as error:
        raise ArtefactError(
            f"cannot write {path}: {error.strerror}. Name a file in a folder that can be written."
        ) from error


def _put(rows: Sequence[Mapping[str, object]], path: Path, table: Table) -> None:
    every = [
        *read_rows(path, table, missing_ok=True),
        *({name: str(row[name]) for name in table.columns} for row in rows),
    ]
    last = {(*row_identity(row, table), row.get("fingerprint")): place for place, row in enumerate(every)}
    kept = [every[place] for place in sorted(last.values())]
    for first, second in doubles(kept, table):
        logger.warning("%s: lines %d and %d are one experiment, made twice", path, first + 2, second + 2)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(table.columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    write_text(path, stream.getvalue())
    remove_leftovers(path)


def read_rows(path: str | Path, table: Table = STUDENTS, *, missing_ok: bool = False) -> list[dict[str, str]]:
    """Return the rows of a results file as text under today's column names.

    What an earlier version did not write is empty, but for the name of images that have a registered one.

    Args:
        path: the file.
        table: whose rows it holds.
        missing_ok: a file that is not there has no rows, as before the first is written.

    Raises:
        SettingError: there is no such file.
        ArtefactError: it cannot be read, is cut, has columns that the table never had, or not those of a key.
    """
    path = Path(path).expanduser()
    if missing_ok and not path.exists():
        return []
    try:
        require_file(path)
        with open(path, encoding="utf-8", newline="") as stream:
            rows = _parsed(path, table, stream)
    except FileNotFoundError as error:
        near = sorted(other.name for other in path.parent.glob("*.csv"))
        hint = unknown("results file", path.name, near) if near else "expected a CSV file there."
        raise SettingError(f"no results file {shortened(str(path))}: {hint}") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtefactError(
            f"{shortened(str(path))} cannot be read ({reason}); expected a CSV file of rows. Name another one."
        ) from error
    rows = [dict.fromkeys(table.columns, "") | row for row in rows]
    for row in rows if "image_set" in table.columns else []:
        if not row["image_set"] and row["dataset"] != "folder":
            row["image_set"] = row["dataset"]
    return rows


def _parsed(path: Path, table: Table, stream: TextIO) -> list[dict[str, str]]:
    """The rows of a table's text under today's names of columns; each must have all of the file's columns."""
    reader = csv.DictReader(stream)
    names = {name: table.named(name) for name in reader.fieldnames or []}
    foreign = [name for name, today in names.items() if today not in table.columns]
    required = [name for name in ("dataset", "seed") if name in table.columns] or table.key
    missing = [name for name in required if name not in names.values()]
    if foreign or missing:
        wrong = f"unknown columns {', '.join(foreign)}" if foreign else f"no columns {', '.join(missing)}"
        raise ArtefactError(f"{path} has {wrong}; expected those of results/SCHEMA.md. Name another results file.")
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ArtefactError(
                f"{path}: line {reader.line_num} has {'more' if None in row else 'fewer'} values than the file has "
                f"columns ({len(names)}); it was cut or changed. Take the line out; its run can be loaded again."
            )
        rows.append({names[name]: value for name, value in row.items()})
    return rows
