"""Result rows: complete, replaced rather than repeated, found again whatever wrote them, described for people."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.drive import list_plans, load_plan, planned
from fd2lib.drive.plans import MEASURED_BY
from fd2lib.ground import ArtefactError, SettingError, declare_setting, identity, load_recipe
from fd2lib.ground.by_stage import STAGES, stage_settings
from fd2lib.record import (
    STUDENTS,
    TABLES,
    doubles,
    fingerprint,
    provenance,
    put_rows,
    read_rows,
    require_single,
    row_identity,
    settings_identity,
)

RESULTS = Path(__file__).parents[2] / "results"
# Of plans whose rows are not all measured yet.
AWAITED = {
    f"results/{name}.csv"
    for name in (
        *("answer", "variance", "mosaics", "students", "pixels", "grain", "grain_photos", "sets"),
        *("regimes", "fadrm", "gpu"),
    )
}
SETTINGS = json.dumps({"pretrain": {"epochs": 3}, "distill": {"iterations": 2}, "relabel": {}, "evaluate": {"seed": 0}})
ROW = {name: f"{name} value" for name in STUDENTS.columns} | {"settings": SETTINGS, "images_fingerprint": ""}


def test_rows_are_added_and_the_same_run_is_replaced(tmp_path, caplog):
    path = tmp_path / "runs.csv"
    put_rows([ROW], path)
    put_rows([{**ROW, "settings": SETTINGS.replace("3", "4"), "last_top1": 12.5}], path)
    put_rows([{**ROW, "last_top1": 99}], path)
    assert [row["last_top1"] for row in read_rows(path)] == ["12.5", "99"]
    assert not caplog.records
    put_rows([{**ROW, "fingerprint": "made again", "last_top1": 98}], path)
    assert "one experiment, made twice" in caplog.text
    rows = read_rows(path)
    assert [row["last_top1"] for row in rows] == ["12.5", "99", "98"]  # nothing is lost …
    with pytest.raises(ArtefactError, match=r"line 3 .* and line 4 "):  # … and nothing counted twice
        require_single(rows, path)


def test_incomplete_rows_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(SettingError, match="last_top1"):
        put_rows([{name: value for name, value in ROW.items() if name != "last_top1"}], tmp_path / "runs.csv")
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ArtefactError, match=r"expected those of results/SCHEMA\.md"):
        put_rows([ROW], tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_schema_for_people_names_every_column(table):
    text = (RESULTS / "SCHEMA.md").read_text(encoding="utf-8")
    assert [name for name, one in table.columns.items() if f"| `{name}` | {one.meaning} |" not in text] == []
    assert set(table.key) <= set(table.columns)


def test_provenance_says_what_ran():
    made = provenance()
    assert made["device"].startswith("cpu")
    assert made["peak_memory_mib"] > 0
    assert set(made["versions"]) == {"torch", "torchvision", "timm", "numpy"}


def test_a_file_of_an_earlier_version_is_read_and_written_with_todays_columns(tmp_path):
    path = tmp_path / "old.csv"
    dropped = {"image_set", "images_fingerprint", "threads", "distill_ipc"}
    old = {name: value for name, value in ROW.items() if name not in dropped}
    old["label_teacher"], old["teacher"] = old.pop("label_teacher_kind"), old.pop("teacher_backbones")
    old["settings"] = json.dumps({**json.loads(SETTINGS), "teachers": [{"epochs": 3}, {"epochs": 5}]})
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(old))
        writer.writeheader()
        writer.writerow(old)
    (row,) = read_rows(path)
    assert row["label_teacher_kind"] == "label_teacher_kind value" and row["threads"] == ""
    assert row["image_set"] == "dataset value"
    todays = {**json.loads(SETTINGS), "teacher_settings": [{"epochs": 3}, {"epochs": 5}]}
    put_rows([{**ROW, "image_set": "dataset value", "settings": json.dumps(todays), "last_top1": 7}], path)
    (row,) = read_rows(path)  # the same run, called by other names
    assert row["last_top1"] == "7"
    with open(path, encoding="utf-8", newline="") as stream:
        assert next(csv.reader(stream)) == list(STUDENTS.columns)


def test_rows_of_different_images_under_one_name_are_not_one_experiment():
    first, second = ({**ROW, "images_fingerprint": digest} for digest in ("a", "b"))
    assert not doubles([first, second])
    assert doubles([first, second, {**ROW, "images_fingerprint": "a"}]) == [(0, 2)]
    assert doubles([first, ROW]) == [(0, 1)]  # of images that nobody wrote down: perhaps the same


@pytest.fixture
def added_setting():
    before = dict(STAGES)
    declare_setting("distill", "sharpness", 0.5, "a test", low=0)
    yield "sharpness"
    STAGES.update(before)


def test_a_setting_added_later_leaves_rows_where_they_were(added_setting):
    now = json.loads(SETTINGS)
    now["distill"][added_setting] = 0.5
    assert settings_identity(json.dumps(now)) == settings_identity(SETTINGS)
    now["distill"][added_setting] = 0.25
    assert settings_identity(json.dumps(now)) != settings_identity(SETTINGS)
    assert stage_settings("distill")(ipc=1, seed=0).sharpness == 0.5
    with pytest.raises(SettingError, match="already"):
        declare_setting("distill", added_setting, 1.0, "a test")


@given(st.permutations(list(json.loads(SETTINGS))), st.booleans())
def test_the_order_and_form_of_settings_do_not_matter(order, spaced):
    parsed = json.loads(SETTINGS)
    text = json.dumps({name: parsed[name] for name in order}, indent=2 if spaced else None)
    assert settings_identity(text) == settings_identity(SETTINGS)


@pytest.mark.parametrize("name", list_plans())
def test_a_plan_names_exactly_the_rows_of_its_file(name, added_setting):
    plan = load_plan(name)
    if plan.file in AWAITED and not (RESULTS.parent / plan.file).exists():
        assert planned(plan)
        return
    rows = read_rows(RESULTS.parent / plan.file, plan.table)
    require_single(rows, plan.file, plan.table)
    if plan.table is STUDENTS:
        there = [row_identity(row) for row in rows]
    else:
        there = [tuple(row[column] for column in MEASURED_BY[plan.table.name]) for row in rows]
    wanted = planned(plan)
    assert len(wanted) == len(set(wanted)) and set(there) <= set(wanted)
    assert plan.file in AWAITED or set(there) == set(wanted)


def test_every_committed_file_of_rows_has_a_plan():
    others = ("paper", "bench", "profile", "rehearsal", "whole_run", "bad_input", "faults")
    of_no_plan = {f"results/{name}.csv" for name in others}
    files = {f"results/{path.name}" for path in RESULTS.glob("*.csv")} - of_no_plan
    planned_files = {load_plan(name).file for name in list_plans()}
    assert planned_files - AWAITED <= files <= planned_files


def test_measured_rows_are_replaced_by_what_they_measure(tmp_path):
    table = TABLES["attention"]
    row = dict.fromkeys(table.columns, "x")
    put_rows([row, {**row, "map": "other"}], tmp_path / "a.csv", table)
    put_rows([{**row, "mass": "2"}], tmp_path / "a.csv", table)
    assert [one["mass"] for one in read_rows(tmp_path / "a.csv", table)] == ["x", "2"]


def test_the_fingerprint_of_the_images_gives_the_teachers_fingerprints():
    """Rows of before the column was filled in: the teachers' runs in attention.csv are of exactly these images."""
    for row in read_rows(RESULTS / "attention.csv", TABLES["attention"]):
        method = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}[row["teacher_kind"]]
        recipe = load_recipe(row["scale"], dataset=row["dataset"], method=method, seed=int(row["seed"]))
        inputs = {"dataset": row["images_fingerprint"]}
        assert fingerprint("pretrain", identity(recipe.pretrain), inputs) == row["fingerprint"]
