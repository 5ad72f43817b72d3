"""``fd2lib data``: what is in a folder, and everything that is wrong with it."""

import logging

import numpy as np
import pytest
from PIL import Image

from fd2lib.drive import Experiment
from fd2lib.drive.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three classes of noise."""
    monkeypatch.setenv("FD2LIB_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("red", "green", "blue"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for i in range(3):
                image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
                image.save(tmp_path / "set" / split / name / f"{i}.png")
    return tmp_path / "set"


def test_check_says_what_is_there(folder, capsys):
    assert main(["data", "check", str(folder)]) == 0
    assert "train: 9 images, 3 per class" in capsys.readouterr().out


def test_check_lists_all_faults(folder, capsys):
    (folder / "train" / "red" / "0.png").write_bytes(b"")
    (folder / "test" / "blue" / "1.png").write_bytes(b"<html>")
    for path in (folder / "test" / "green").iterdir():
        path.unlink()
    assert main(["data", "check", str(folder)]) != 0
    told = capsys.readouterr()
    assert told.out.count("problem: ") == 3
    assert "has 3 problems, listed above" in told.err and "Traceback" not in told.err


def test_a_run_says_what_was_passed_over_before_it_computes(folder, caplog):
    for path in sorted((folder / "train" / "red").iterdir())[:2]:
        path.rename(path.with_suffix(".heic"))
    experiment = Experiment(dataset="folder", data_root=str(folder), device="cpu")
    with caplog.at_level(logging.INFO):
        experiment.dataset, experiment.with_(seed=1).dataset
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and warnings[0].startswith("set: train: passed over files")
    assert "(2 in all, the first is train/red/0.heic)" in warnings[0]
    assert "set: 3 classes in label order: blue … red" in caplog.text
