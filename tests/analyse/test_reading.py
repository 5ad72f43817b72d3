"""Rows as frames: typed, each experiment once, groups that hold only what may be compared."""

import json

import pandas as pd
import pytest

from fd2lib.analyse import (
    GROUP,
    LEARNER,
    PLACE,
    SETTING,
    coverage,
    load_rows,
    parts,
    records,
    settings_behind,
    summarise,
)
from fd2lib.ground import ArtefactError, SettingError
from fd2lib.record import ATTENTION, STUDENTS, put_rows

OTHER = {"distill": {"iterations": 99}, "relabel": {"epochs": 5}}


def test_numbers_are_numbers_and_unknown_ones_nan(student):
    frame = load_rows([student(ipc=3, pretrain_seconds="1.5", threads="")])
    (row,) = records(frame)
    assert (row["ipc"], row["pretrain_seconds"], row["classes"]) == (3, 1.5, "")
    assert row["threads"] != row["threads"] and list(frame)[: len(STUDENTS.columns)] == list(STUDENTS.columns)
    with pytest.raises(ArtefactError, match=r"'last_top1'.*no number"):
        load_rows([student(last_top1="many")])


def test_a_file_and_its_rows_give_the_same(tmp_path, student):
    rows = [student(seed=seed) for seed in range(2)]
    put_rows(rows, tmp_path / "runs.csv", STUDENTS)
    pd.testing.assert_frame_equal(load_rows(tmp_path / "runs.csv"), load_rows(rows))
    assert summarise(load_rows(tmp_path / "none.csv", missing_ok=True)).empty
    with pytest.raises(SettingError, match=r"no results file .*run.csv.*Did you mean 'runs.csv'"):
        load_rows(tmp_path / "run.csv")
    (tmp_path / "bad.csv").write_text("scale\ntoy\n")
    with pytest.raises(ArtefactError, match=r"SCHEMA\.md"):
        load_rows(tmp_path / "bad.csv")


def test_one_experiment_twice_is_refused_and_both_are_named(tmp_path, student):
    rows = [student(fingerprint="a", date="2026-01-01"), student(fingerprint="b", date="2026-02-02", last_top1=41.0)]
    with pytest.raises(ArtefactError, match=r"twice: line 2 \(2026-01-01.*line 3 \(2026-02-02"):
        load_rows(rows)
    put_rows(rows, tmp_path / "runs.csv", STUDENTS)  # other kernels, say: the file keeps both
    with pytest.raises(ArtefactError, match=r"runs\.csv holds the same experiment twice"):
        load_rows(tmp_path / "runs.csv")


def test_a_setting_that_was_added_later_makes_no_second_experiment(student):
    before = student()
    settings = json.loads(before["settings"])
    settings["relabel"] |= {"threads": 1}  # its value of before it was there
    with pytest.raises(ArtefactError, match="twice"):
        load_rows([before, before | {"settings": json.dumps(settings), "fingerprint": "other"}])


def test_rows_of_one_scale_or_set_only(student):
    rows = [student(), student(scale="reduced", image_size=96), student(dataset="mine", image_set="mine")]
    assert load_rows(rows, scale="reduced")["scale"].tolist() == ["reduced"]
    assert load_rows(rows, dataset="mine", scale="")["image_set"].tolist() == ["mine"]


def test_two_sets_of_images_are_two_groups(student):
    mine = {"dataset": "folder", "image_set": "warblers", "images_fingerprint": "a" * 64}
    rows = [student(seed=seed, last_top1=10 + seed, **mine) for seed in range(3)]
    rows += [student(seed=seed, last_top1=50 + seed, **mine | {"image_set": "finches"}) for seed in range(3)]
    rows += [student(seed=seed, last_top1=90, **mine | {"images_fingerprint": "b" * 64}) for seed in range(3)]
    summary = summarise(load_rows(rows))
    assert sorted(zip(summary["image_set"], summary["mean"], summary["n"], strict=True)) == [
        ("finches", 51, 3), ("warblers", 11, 3), ("warblers", 90, 3)]  # fmt: skip
    assert {"image_set", "images_fingerprint"} <= set(PLACE) & set(LEARNER) & set(SETTING) & set(GROUP)


def test_groups_are_what_the_tables_declare():
    assert set(STUDENTS.groups) < set(GROUP) and set(PLACE) == set(STUDENTS.groups) & set(ATTENTION.groups)
    assert set(GROUP) - set(STUDENTS.groups) == {"start", "ipc", "variant", "method"}


def test_parts_keep_their_order_and_their_blanks():
    frame = pd.DataFrame({"a": ["y", "x", "y"], "b": [1, 1, float("nan")]})
    assert [(key["a"], len(part)) for key, part in parts(frame, ["a"])] == [("y", 2), ("x", 1)]
    assert len(parts(frame, ["b"])) == 2 and parts(frame.iloc[:0], ["a"]) == []
    assert parts(frame, ["not there"])[0][0] == {}


def test_rows_with_unusual_settings_are_a_variant_of_their_own(student):
    rows = [student(seed=seed, last_top1=30 + seed) for seed in range(3)]
    rows.append(student(last_top1=90, settings=json.dumps(OTHER)))
    loaded = load_rows(rows)
    assert set(loaded["variant"]) == {"", "distill.iterations=99"}
    summary = summarise(loaded)
    assert summary[summary["variant"] == ""]["mean"].item() == 31.0


def test_a_setting_that_most_rows_do_not_have_is_a_variant(student):
    settings = json.loads(student(seed=3)["settings"])
    settings["distill"]["own_ratio"] = True
    rows = [student(seed=seed) for seed in range(3)] + [student(seed=3, settings=json.dumps(settings))]
    assert load_rows(rows)["variant"].tolist() == ["", "", "", "distill.own_ratio=true"]


def test_seeds_of_several_teachers_are_no_variants(student):
    def settings(seed, epochs=1):
        teachers = [{"backbone": name, "seed": seed, "epochs": epochs} for name in ("a", "b")]
        return json.dumps({"teacher_settings": teachers, "relabel": {"epochs": 5}})

    rows = [student(seed=seed, settings=settings(seed)) for seed in range(3)]
    assert set(load_rows(rows)["variant"]) == {""}
    odd = load_rows([*rows, student(seed=3, settings=settings(3, epochs=2))])["variant"]
    assert odd.tolist()[:3] == [""] * 3 and "teacher_settings=" in odd[3] and len(odd[3]) < 60


def test_images_of_another_seed_are_a_variant_however_many_seeds_they_are_of(student):
    def row(seed, images):
        settings = json.loads(student()["settings"])
        settings["distill"]["seed"] = images
        return student(seed=seed, settings=json.dumps(settings))

    found = load_rows([*(row(seed, seed) for seed in range(2)), *(row(seed, 100 + seed) for seed in range(2))])
    assert found["variant"].tolist() == ["", "", "distill.seed=+100", "distill.seed=+100"]


def test_the_settings_behind_a_table_are_those_of_most_rows(student):
    rows = [student("fd2", seed) for seed in range(2)] + [student("fd2", 2, settings=json.dumps(OTHER)), student()]
    found = settings_behind(load_rows(rows)).set_index("setting")
    assert found.loc["distill.iterations"].to_dict() == {"fd2": "10", "random": "10"}
    assert set(found.index) == {"distill.iterations", "relabel.epochs"}


def test_coverage_counts_students_of_each_scale_and_set(student):
    rows = [student(name, seed) for name in ("random", "fd2") for seed in range(2)] + [student(image_set="mine")]
    found = coverage(load_rows(rows))
    assert found[["image_set", "students", "methods", "seeds"]].values.tolist() == [
        ["plumage", 4, 2, 2],
        ["mine", 1, 1, 1],
    ]
    assert coverage(load_rows([])).empty
