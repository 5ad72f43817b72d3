"""Every student that was measured, whichever file of results its row is in."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.analyse.reading import load_rows, records
from fd2lib.analyse.statistics import Interval, binomial_interval
from fd2lib.ground import ArtefactError
from fd2lib.record import STUDENTS


def load_students(folder: str | Path) -> pd.DataFrame:
    """Return the rows of all files of students in a folder, typed as by :func:`fd2lib.analyse.load_rows`.

    Further columns are ``file``, its name without ending, and ``interval``, the last accuracy with the 95 % interval
    over the student's test images. Files of other tables are passed over. A row that stands in two files is there
    twice: each file is whole.

    Raises:
        ArtefactError: no file there holds a student, or one of them cannot be read as such a table.
    """
    paths = [path for path in sorted(Path(folder).glob("*.csv")) if _of_students(path)]
    tables = [load_rows(path).assign(file=path.stem) for path in paths]
    filled = [table for table in tables if len(table)]
    if not filled:
        raise ArtefactError(
            f"no file in {folder} holds rows of students; expected a folder such as results/, with runs.csv in it."
        )
    rows = pd.concat(filled, ignore_index=True)
    return rows.assign(interval=pd.Series([_interval(row) for row in records(rows)], dtype=object))


def _interval(row: Mapping[str, Any]) -> Interval:
    """The accuracy of a student with its interval; without one where a row of old says no number of test images."""
    accuracy, number = row["last_top1"], row["test_images"]
    if accuracy != accuracy or not number >= 1:
        return Interval(accuracy, math.nan, math.nan, 0)
    return binomial_interval(accuracy, int(number))


def _of_students(path: Path) -> bool:
    """Whether a file has the columns of students, or had them at some time, and none of another table."""
    with open(path, encoding="utf-8", newline="") as stream:
        names = {STUDENTS.named(name) for name in next(csv.reader(stream), [])}
    return {"last_top1", "settings"} <= names <= set(STUDENTS.columns)
