"""Result rows: complete, replaced rather than repeated, described for people."""

from pathlib import Path

import pytest

from fd2lib.ground import ArtefactError, SettingError
from fd2lib.record import COLUMNS, append_result, provenance, read_results

ROW = {name: f"{name} value" for name in COLUMNS}


def test_rows_are_added_and_the_same_run_is_replaced(tmp_path):
    path = tmp_path / "runs.csv"
    append_result(ROW, path)
    append_result({**ROW, "fingerprint": "other", "last_top1": 12.5}, path)
    append_result({**ROW, "settings": "other settings, same images"}, path)
    append_result({**ROW, "last_top1": 99}, path)
    rows = read_results(path)
    assert [row["fingerprint"] for row in rows] == ["other", "fingerprint value", "fingerprint value"]
    assert [row["last_top1"] for row in rows] == ["12.5", "last_top1 value", "99"]


def test_incomplete_rows_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(SettingError, match="last_top1"):
        append_result({name: value for name, value in ROW.items() if name != "last_top1"}, tmp_path / "runs.csv")
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ArtefactError, match="expected those of"):
        append_result(ROW, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "a,b\n1,2\n"


def test_the_schema_for_people_names_every_column():
    text = (Path(__file__).parents[2] / "results" / "SCHEMA.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"| `{name}` | {COLUMNS[name]} |" not in text] == []


def test_provenance_says_what_ran():
    made = provenance()
    assert made["device"].startswith("cpu")
    assert made["peak_memory_mib"] > 0
    assert set(made["versions"]) == {"torch", "torchvision", "timm", "numpy"}
