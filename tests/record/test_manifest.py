"""Run folders: reused when they match, refused by name when they do not."""

import dataclasses
from dataclasses import dataclass

import pytest
import torch

from fd2lib.ground import ArtefactError
from fd2lib.record import RunFolder, content_fingerprint, folders, read_manifest


@dataclass(frozen=True)
class _Settings:
    rate: float = 0.1
    epochs: int = 3


def _finish(folder, settings=_Settings(), inputs=None):
    run = RunFolder(folder, "pretrain", settings, inputs or {"data": "abc"})
    with run.session() as manifest:
        if manifest is None:
            (run.folder / "out.txt").write_text("result")
            manifest = run.finish({"accuracy": 50.0}, ["out.txt"], "cpu")
    return manifest


def test_a_complete_run_is_loaded(tmp_path):
    first = _finish(tmp_path / "run")
    run = RunFolder(tmp_path / "run", "pretrain", _Settings(), {"data": "abc"})
    with run.session() as manifest:
        assert manifest == first
    assert read_manifest(tmp_path / "run", "pretrain")["result"] == {"accuracy": 50.0}


@pytest.mark.parametrize(
    ("settings", "inputs", "words"),
    [
        (_Settings(rate=0.2), {"data": "abc"}, "settings.rate is 0.1 there and 0.2 here"),
        (_Settings(), {"data": "x"}, "inputs.data"),
    ],
)
def test_other_settings_or_inputs_are_refused_by_name(tmp_path, settings, inputs, words):
    _finish(tmp_path / "run")
    with pytest.raises(ArtefactError, match=words), RunFolder(tmp_path / "run", "pretrain", settings, inputs).session():
        pass
    assert (tmp_path / "run" / "out.txt").read_text() == "result"


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "holiday.jpg").write_text("mine")
    refused = pytest.raises(ArtefactError, match=r"holiday\.jpg.*not a run folder")
    with refused, RunFolder(tmp_path, "pretrain", _Settings(), {}).session():
        pass
    assert (tmp_path / "holiday.jpg").read_text() == "mine"


def test_checkpoints_carry_state_and_wall_time(tmp_path):
    run = RunFolder(tmp_path / "run", "pretrain", _Settings(), {})
    with run.session():
        run._earlier_seconds = 100.0
        run.save_checkpoint({"weights": torch.arange(3)})
    again = RunFolder(tmp_path / "run", "pretrain", _Settings(), {})
    with again.session() as manifest:
        assert manifest is None
        assert torch.equal(again.load_checkpoint()["weights"], torch.arange(3))
        assert again.seconds >= 100.0


def test_checkpoints_take_a_small_share_of_the_time(tmp_path, monkeypatch):
    now, saved = [0.0], []

    def save(self, state):
        saved.append(state["epoch"])
        now[0] += 2

    monkeypatch.setattr(folders.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(RunFolder, "save_checkpoint", save)
    run = RunFolder(tmp_path, "pretrain", _Settings(), {})
    for epoch in range(100):
        now[0] += 1
        run.save_checkpoint_when_due({"epoch": epoch})
    assert saved == [0, 38, 76], "the first is saved, then one of 2 s every 40 s"
    for epoch in range(100, 103):  # epochs that take longer are saved each
        now[0] += 60
        run.save_checkpoint_when_due({"epoch": epoch})
    assert saved[3:] == [100, 101, 102]


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    run = RunFolder(tmp_path / "run", "pretrain", _Settings(), {})
    with run.session():
        (run.folder / "checkpoint.pt").write_bytes(b"not a checkpoint")
        with pytest.raises(ArtefactError, match="Move it away"):
            run.load_checkpoint()


def test_incomplete_missing_and_foreign_runs_are_told_apart(tmp_path):
    with pytest.raises(ArtefactError, match="does not exist"):
        read_manifest(tmp_path / "none", "pretrain")
    with RunFolder(tmp_path / "run", "pretrain", _Settings(), {}).session():
        pass
    with pytest.raises(ArtefactError, match="not finished"):
        read_manifest(tmp_path / "run", "pretrain")
    _finish(tmp_path / "done")
    with pytest.raises(ArtefactError, match="expected 'distill'"):
        read_manifest(tmp_path / "done", "distill")


def test_content_fingerprint_follows_the_files(tmp_path):
    _finish(tmp_path / "a")
    _finish(tmp_path / "b", dataclasses.replace(_Settings(), epochs=4))
    assert content_fingerprint(tmp_path / "a", "pretrain") == content_fingerprint(tmp_path / "b", "pretrain")
