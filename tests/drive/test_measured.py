"""The measuring commands: complete rows, replaced rather than repeated, described for people."""

import argparse
from pathlib import Path

import pandas as pd
import pytest

from fd2lib.drive import Experiment, attention, geometry
from fd2lib.ground import ArtefactError, SettingError
from fd2lib.measure import part_masks
from fd2lib.record import put_rows

SMALL = "pretrain.epochs=1 distill.iterations=2 pretrain.batch_size=16"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return Experiment(classes="2", image_size=32, ipc=2, settings=SMALL, runs_dir=str(runs), progress=False)


def test_attention_rows_are_complete(experiment):
    parts = part_masks(experiment.dataset)
    rows = [
        row
        for method in attention.TEACHERS.values()
        for row in attention.attention_rows(experiment.with_(method=method), parts, occluded=4)
    ]
    assert all(row.keys() == attention.COLUMNS.keys() for row in rows)
    kinds = [(row["teacher"], row["map"]) for row in rows]
    both = ["class_activation", "channel_mean", "occlusion"]
    assert [kind for teacher, kind in kinds if teacher == "plain"] == both
    assert {kind for teacher, kind in kinds if teacher == "cal"} == {*both, "head_attention", "head_occlusion"}
    for row in rows:
        assert 0 <= row["mass"] <= row["reachable"] + 1e-6 <= 100 + 1e-6 and 0 < row["chance"] < 50
    assert {row["images"] for row in rows if "occlusion" in row["map"]} == {4}


def test_geometry_rows_are_complete(experiment):
    spaces = [*geometry.fixed_spaces(experiment), geometry.judge_space(experiment, seed=1)]
    assert [space.name for space in spaces] == ["pixels", "judge"]  # no ImageNet weights at toy scale
    real = geometry.geometry_rows(experiment.with_(method="random"), spaces)
    made = geometry.geometry_rows(experiment, spaces)
    assert all(row.keys() == geometry.COLUMNS.keys() for row in real + made)
    assert [(row["images"], row["space"]) for row in made] == [
        (stage, space) for space in ("pixels", "judge") for stage in ("distilled", "start")
    ]
    for row in real:  # real images are copies of training images, and nothing moved
        assert (row["nearest"], row["own_start"], row["copies"]) == (0, 0, 100)
    by_stage = {row["images"]: row for row in made if row["space"] == "pixels"}
    assert by_stage["start"]["own_start"] == 0 < by_stage["distilled"]["own_start"]
    assert by_stage["start"]["within"] == real[0]["within"]  # both start from the same real images
    assert real[0]["real_nearest"] > 0 and real[0]["attention_similarity"] == ""
    assert -1 <= made[-1]["attention_similarity"] <= 1


def test_rows_with_the_same_key_are_replaced(tmp_path):
    path, columns = tmp_path / "new" / "rows.csv", ["seed", "map", "mass"]
    put_rows([{"seed": 0, "map": "a", "mass": 1.5}, {"seed": 1, "map": "", "mass": 2}], path, columns, ["seed", "map"])
    put_rows([{"seed": 1, "map": "", "mass": 3}], path, columns, ["seed", "map"])
    assert path.read_text() == "seed,map,mass\n0,a,1.5\n1,,3\n"
    with pytest.raises(SettingError, match="mass"):
        put_rows([{"seed": 1, "map": "a"}], path, columns, ["seed"])
    with pytest.raises(ArtefactError, match=r"SCHEMA\.md"):
        put_rows([{"other": 1}], path, ["other"], ["other"])
    assert len(pd.read_csv(path)) == 2


def test_commands_take_their_options_and_write(tmp_path):
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    attention.add_attention(commands)
    geometry.add_geometry(commands)
    common = ["--scale", "toy", "--classes", "2", "--image-size", "32", "--seeds", "0", "--quiet", "--set", SMALL]
    common += ["--runs-dir", str(tmp_path / "runs")]
    options = parser.parse_args(["attention", *common, "--occluded", "2", "--out", str(tmp_path / "attention.csv")])
    options.command(options)
    assert list(pd.read_csv(tmp_path / "attention.csv")) == list(attention.COLUMNS)
    words = ["geometry", *common, "--methods", "random,sre2lpp", "--starts", "whole", "--ipc", "2"]
    options = parser.parse_args([*words, "--out", str(tmp_path / "geometry.csv")])
    options.command(options)
    rows = pd.read_csv(tmp_path / "geometry.csv")
    assert rows.groupby("method").size().to_dict() == {"random": 2, "sre2lpp": 4}
    with pytest.raises(SettingError, match="--seeds is '0,x'"):
        options.command(parser.parse_args([*words, "--seeds", "0,x"]))


def test_the_schema_for_people_names_every_column():
    text = (Path(__file__).parents[2] / "results" / "SCHEMA.md").read_text(encoding="utf-8")
    for columns in (attention.COLUMNS, geometry.COLUMNS):
        assert [name for name in columns if f"| `{name}` | {columns[name]} |" not in text] == []


def test_committed_tables_have_these_columns():
    results = Path(__file__).parents[2] / "results"
    for name, columns in (("attention", attention.COLUMNS), ("geometry", geometry.COLUMNS)):
        table = pd.read_csv(results / f"{name}.csv")
        assert list(table) == list(columns) and len(table)
