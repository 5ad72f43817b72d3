"""The table of every student: all rows and columns in it, safe for any name, and the same rows in both files."""

import builtins

import pandas as pd
import pytest

from fd2lib.analyse import load_students
from fd2lib.ground import SettingError
from fd2lib.record import STUDENTS, put_rows
from fd2lib.show import everyone_table, write_everyone
from fd2lib.show.students import FIRST, NARROW
from fd2lib.show.titles import COLUMNS


@pytest.fixture
def rows(tmp_path, student):
    own = student("sre2lpp_fd2", 1, test_images=50, dataset="folder", image_set="<b>mine</b>", classes="Wren")
    put_rows([student("random", 0, test_images=50), own], tmp_path / "runs.csv")
    return load_students(tmp_path)


@pytest.fixture
def without(monkeypatch):
    """Return a function that makes a package look as if it was not installed."""
    load = builtins.__import__

    def hide(package: str) -> None:
        def loaded(name, *others, **more):
            if name.partition(".")[0] == package:
                raise ImportError(f"no {package}")
            return load(name, *others, **more)

        monkeypatch.setattr(builtins, "__import__", loaded)

    return hide


def test_the_table_has_every_row_and_its_columns_in_words(rows):
    pytest.importorskip("itables")
    text = everyone_table(rows)
    assert text == everyone_table(rows), "the same every time"
    assert "SRe²L++ + FD²" in text and "random real" in text
    assert "<b>mine" not in text and "mine" in text
    assert all(title in text for title in COLUMNS["everyone"].values())
    low, high = rows["interval"][0].low, rows["interval"][0].high
    assert f"{low:.1f} to {high:.1f} (50)" in text


def test_first_columns_are_columns():
    assert set(NARROW) < set(FIRST) < set(COLUMNS["everyone"])
    assert set(COLUMNS["everyone"]) - {"place", "known", "file", "variant"} <= set(STUDENTS.columns)


def test_without_itables_there_is_a_plain_table(rows, without):
    without("itables")
    text = everyone_table(rows)
    assert text.count("<tr>") == 3 and "<script" not in text and "&lt;b&gt;mine&lt;/b&gt; (folder) Wren" in text


def test_both_files_hold_all_columns(rows, tmp_path):
    pytest.importorskip("pyarrow")
    comma, parquet = write_everyone(rows, tmp_path / "new" / "folder")
    assert (comma.name, parquet.name) == ("students.csv", "students.parquet")
    read = pd.read_parquet(parquet)
    assert list(read) == [*STUDENTS.columns, "variant", "file", "low", "high"] == list(pd.read_csv(comma))
    assert read["last_top1"].tolist() == rows["last_top1"].tolist() == pd.read_csv(comma)["last_top1"].tolist()
    assert read["settings"].tolist() == rows["settings"].tolist()
    assert (read["low"] < read["last_top1"]).all() and (read["last_top1"] < read["high"]).all()


def test_what_is_missing_for_parquet_is_said(rows, tmp_path, monkeypatch):
    def fail(*others, **more):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(SettingError, match="no package here writes Parquet files; install pyarrow"):
        write_everyone(rows, tmp_path)
