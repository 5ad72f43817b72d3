"""Every student of a folder, typed, with its file and its interval; other tables are passed over."""

import csv

import pytest

from fd2lib.analyse import binomial_interval, load_students
from fd2lib.ground import ArtefactError
from fd2lib.record import ATTENTION, put_rows


@pytest.fixture
def folder(tmp_path, student):
    put_rows([student("random", seed, test_images=50) for seed in (0, 1)], tmp_path / "runs.csv")
    put_rows([student("sre2lpp", 0, test_images=50, last_top1=50.0)], tmp_path / "answer.csv")
    return tmp_path


def write(path, *rows):
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)


def test_rows_of_all_files_with_their_file(folder):
    rows = load_students(folder)
    assert rows[["file", "method", "seed"]].values.tolist() == [
        ["answer", "sre2lpp", 0],
        ["runs", "random", 0],
        ["runs", "random", 1],
    ]
    assert rows["interval"][0] == binomial_interval(50.0, 50)
    assert rows["interval"][1].n == 50 and rows["interval"][1].mean == 40.0


def test_a_row_in_two_files_is_there_twice(folder, student):
    put_rows([student("sre2lpp", 0, test_images=50, last_top1=50.0)], folder / "again.csv")
    assert load_students(folder)["file"].tolist() == ["again", "answer", "runs", "runs"]


def test_other_tables_are_passed_over(folder):
    write(folder / "attention.csv", ATTENTION.columns, ["x"] * len(ATTENTION.columns))
    write(folder / "paper.csv", ["dataset", "ipc", "method", "top1_percent"], ["cub200", 1, "fd2", 50])
    write(folder / "foreign.csv", ["settings", "last_top1", "mood"], ["{}", 1, "good"])
    (folder / "empty.csv").touch()
    assert len(load_students(folder)) == 3


def test_columns_under_earlier_names_count(folder):
    text = (folder / "answer.csv").read_text("utf-8")
    (folder / "answer.csv").write_text(text.replace("label_teacher_kind", "label_teacher", 1), "utf-8")
    assert set(load_students(folder)["file"]) == {"answer", "runs"}


def test_a_folder_without_students_is_named(tmp_path):
    write(tmp_path / "paper.csv", ["dataset", "ipc"], ["cub200", 1])
    with pytest.raises(ArtefactError, match=r"no file in .* holds rows of students; expected a folder such as"):
        load_students(tmp_path)
    with pytest.raises(ArtefactError, match="no file in"):
        load_students(tmp_path / "nowhere")


def test_a_student_without_test_images_says_no_interval(folder, student):
    put_rows([student("fadrm", 0, test_images="", last_top1=10.0)], folder / "old.csv")
    row = load_students(folder).set_index("file").loc["old"]
    assert row["interval"].mean == 10.0 and row["interval"].low != row["interval"].low
