"""What pages say about themselves."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from fd2lib import show
from fd2lib.analyse import Interval
from fd2lib.data import Dataset, ImageSplit
from fd2lib.ground import load_recipe, write_json
from fd2lib.record.manifest import write_record

RECIPE = load_recipe("toy", dataset="plumage", method="sre2lpp_fd2", ipc=2)


def experiment() -> SimpleNamespace:
    split = ImageSplit(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), ("a", "b", "c", "d"))
    data = Dataset("plumage", ("one", "two"), 8, split, split, (0.5,) * 3, (0.2,) * 3, "f00d" * 16)
    request = SimpleNamespace(seed=7, overrides="distill.iterations=3")
    return SimpleNamespace(recipe=RECIPE, dataset=data, request=request, device=torch.device("cpu"))


def test_headline():
    expected = (
        "plumage: 2 classes, 4 training and 4 test images, 8 px\nscale toy, SRe²L++ + FD², 2 images per class, seed 7"
    )
    assert show.headline(experiment()) == expected


def test_provenance_names_commit_seed_inputs_and_whether_a_stage_was_loaded(tmp_path):
    folder = tmp_path / "distill" / "plumage-1"
    folder.mkdir(parents=True)
    made = {"date": "2026-01-02T00:00:00", "device": "cpu (some)", "commit": "abc"}
    manifest = {"stage": "distill", "seconds": 12.3, "fingerprint": "beef" * 16, "provenance": made}
    manifest |= {"settings": {}, "inputs": {}}
    write_record(folder / "manifest.json", manifest)
    text = show.provenance_table(experiment(), SimpleNamespace(folder=folder, reused=True))
    for words in (
        "commit",
        "torch",
        "MiB",
        "seed",
        ">7<",
        "f00d" * 4,
        "distill.iterations=3",
        "loaded",
        "12 s",
        "beef" * 4,
    ):
        assert words in text
    assert str(tmp_path) not in text and "<details>" not in text
    many = show.provenance_table(experiment(), *[SimpleNamespace(folder=folder, reused=True)] * 2)
    assert "<details>" not in many  # one run, shown twice
    for number in range(7):
        write_json(tmp_path / "distill" / f"plumage-{number}" / "manifest.json", manifest)
    runs = [SimpleNamespace(folder=tmp_path / "distill" / f"plumage-{number}", reused=True) for number in range(7)]
    folded = show.provenance_table(experiment(), *runs)
    assert "<summary>7 runs</summary>" in folded and folded.index("seed") < folded.index("<details>")


def test_file_provenance(tmp_path):
    (tmp_path / "rows.csv").write_text("")
    text = show.file_provenance({"rows": str(tmp_path / "rows.csv"), "other": str(tmp_path / "none")})
    assert "e3b0c44298fc1c14" in text and "no such file" in text and str(tmp_path) not in text
    assert "e3b0c44298fc1c14" in show.provenance_table(experiment(), files={"rows": str(tmp_path / "rows.csv")})


def test_settings_say_where_they_come_from():
    text = show.settings_table(RECIPE, "distill")
    assert "characteristic_weight" in text and "no constraint" not in text
    assert RECIPE.sources["distill.group_size"] in text


def test_project_path_is_the_same_from_notebooks_and_root(tmp_path, monkeypatch):
    for name in ("notebooks", "fd2lib"):
        (tmp_path / "project" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "notebooks")
    assert show.project_path("runs") == "../runs"
    monkeypatch.chdir(tmp_path / "project")
    assert show.project_path("runs") == "runs"
    monkeypatch.chdir(tmp_path)
    assert show.project_path("runs") == "runs"


def test_glued_numbers_are_plain(monkeypatch):
    glue = pytest.importorskip("myst_nb")
    seen = {}
    monkeypatch.setattr(glue, "glue", lambda name, value, display: seen.update({name: value}))
    show.glue_numbers(a=torch.tensor(1.5), b=2, c="word")
    assert seen == {"a": 1.5, "b": 2, "c": "word"} and type(seen["a"]) is float


def test_intervals_and_spans_are_glued_as_they_are_written(monkeypatch):
    glue, seen = pytest.importorskip("myst_nb"), {}
    monkeypatch.setattr(glue, "glue", lambda name, value, display: seen.update({name: value}))
    show.glue_intervals("page", {"a_1": Interval(2.04, -1.0, 5.0, 3)}, signed=True)
    show.glue_spans("cost", pd.DataFrame({"low": [1.01, -1], "high": [1.04, 2000]}, index=["x", "y"]))
    assert seen["page_a_1"].replace("\N{NO-BREAK SPACE}", " ") == "+2.0 [−1.0, +5.0]"
    assert (seen["cost_x"], seen["cost_y"]) == ("1.0", "−1.0 to 2,000.0")
