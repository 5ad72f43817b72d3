"""A row is enough to make it again."""

import shutil
from pathlib import Path

import pytest

from fd2lib.drive import Experiment
from fd2lib.drive.cli import main
from fd2lib.drive.request import Machine
from fd2lib.drive.rerun import experiment_of_row, find_row
from fd2lib.ground import ArtefactError, SettingError
from fd2lib.record import read_rows

RESULTS = Path(__file__).parents[2] / "results"
TINY = "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=2 relabel.epochs=2 evaluate.test_every=1"
COMPARED = ("fingerprint", "last_top1", "best_top1", "settings", "images_bytes", "distill_ipc", "images_fingerprint")


def test_a_toy_row_is_made_again_exactly(tmp_path, capsys):
    runs, path = tmp_path / "runs", tmp_path / "rows.csv"
    asked = dict(classes="3", image_size=32, overrides=TINY, device="cpu", runs_dir=str(runs), progress=False)
    first = Experiment(method="sre2lpp_fd2", label_teacher_kind="plain", ipc=1, distill_ipc=2, seed=5, **asked)
    first.record(path)
    first.with_(method="random", label_teacher_kind="", ipc=2).record(path)
    shutil.rmtree(runs)
    common = ["--device", "cpu", "--runs-dir", str(tmp_path / "again"), "--out", str(tmp_path / "out"), "--quiet"]
    for which in ("2", read_rows(path)[0]["fingerprint"][:12]):
        assert main(["rerun", str(path), which, *common]) == 0
        assert "as in the row, from the same run" in capsys.readouterr().out
    again = {row["fingerprint"]: row for row in read_rows(tmp_path / "out" / "runs.csv")}
    for row in read_rows(path):
        assert [again[row["fingerprint"]][name] for name in COMPARED] == [row[name] for name in COMPARED]


def test_a_row_whose_crops_another_teacher_scored_is_made_again_from_the_same_run(tmp_path):
    asked = dict(classes="3", image_size=32, device="cpu", runs_dir=str(tmp_path / "runs"), progress=False)
    mosaics = f"{TINY} distill.start=pool2 distill.scorer=plain pretrain.epochs=1"
    first = Experiment(method="sre2lpp_fd2", overrides=mosaics, **asked)
    first.record(tmp_path / "rows.csv")
    (row,) = read_rows(tmp_path / "rows.csv")
    again = experiment_of_row(row, Machine(device="cpu", runs_dir=str(tmp_path / "runs")), progress=False)
    assert again.recipe.scorer_settings == first.recipe.scorer_settings != first.recipe.pretrain
    assert again.evaluate().reused and again.row()["settings"] == row["settings"]


def test_a_row_that_is_not_there_is_said(tmp_path):
    (tmp_path / "rows.csv").write_text("dataset,seed\n")
    with pytest.raises(SettingError, match="holds no rows"):
        find_row(tmp_path / "rows.csv", "1")
    with pytest.raises(SettingError, match=r"no results file .*row.csv.*Did you mean 'rows.csv'"):
        find_row(tmp_path / "row.csv", "1")
    for which in ("0", "999", "feedfacefeed", "fee", "one", ""):
        with pytest.raises(SettingError, match=r"expected"):
            find_row("results/runs.csv", which)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": "{}"}, "lacks 'pretrain'"),
        ({"settings": "[]"}, "JSON object"),
        ({"settings": '{"pretrain": 3'}, "JSON object"),
        ({"image_size": "x"}, "'x'"),
        ({"seed": "1.5"}, "'1.5'"),
    ],
)
def test_a_row_that_was_changed_is_said(change, said):
    row = read_rows(RESULTS / "runs.csv")[0]
    with pytest.raises(ArtefactError, match=said) as caught:
        experiment_of_row(row | change, Machine(device="cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"dataset,seed\nplumage\n", "line 2 has fewer values"),
        (b"dataset,seed\nplumage,0,1\n", "line 2 has more values"),
        (b"dataset,seed\n\xff,0\n", "cannot be read"),
        (b'dataset,seed\n"plumage,0\n', "fewer values"),
        (b"PK\x03\x04", "no columns dataset, seed|unknown columns"),
        (b"", "no columns"),
    ],
)
def test_a_file_of_rows_that_is_cut_or_another_is_said(tmp_path, content, said):
    (tmp_path / "rows.csv").write_bytes(content)
    for read in (read_rows, lambda path: read_rows(path, missing_ok=True)):
        with pytest.raises(ArtefactError, match=said) as caught:
            read(tmp_path / "rows.csv")
        assert "\n" not in str(caught.value)
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_rows(tmp_path, missing_ok=True)
