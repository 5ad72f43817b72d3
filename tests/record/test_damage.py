"""Damage of a run folder: what is noticed, what is gone on from, what is cleaned; remedies that messages name work."""

import json
import math
import shutil
from dataclasses import dataclass

import pytest
import torch

from fd2lib.drive.request import Machine
from fd2lib.ground import ArtefactError
from fd2lib.record import RunFolder, check_up_to, content_fingerprint, find_run, intact, manifest, read_manifest
from fd2lib.record.manifest import write_record


@dataclass(frozen=True)
class _Settings:
    rate: float = 0.1


def _run(folder):
    return RunFolder(folder, "pretrain", _Settings(), {"data": "abc"})


def _finish(folder, text="result"):
    run = _run(folder)
    with run.session() as manifest:
        if manifest is None:
            run.save_checkpoint({"epochs": 1})
            (run.folder / "out.txt").write_text(text)
            run.finish({"accuracy": 50.0}, ["out.txt"], "cpu")
    return folder


def _names(folder):
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_folder_with_only_a_leftover_is_begun(tmp_path):
    (tmp_path / ".started.json.abcd0123.json").write_text('{"stage":')
    _finish(tmp_path)
    assert _names(tmp_path) == {"manifest.json", "out.txt"}


def test_a_stranger_beside_a_leftover_keeps_both(tmp_path):
    before = {".started.json.abcd0123.json", "holiday.jpg"}
    for name in before:
        (tmp_path / name).write_text("mine")
    with pytest.raises(ArtefactError, match=r"holiday\.jpg"):
        _finish(tmp_path)
    assert _names(tmp_path) == before


def test_what_a_killed_process_left_is_gone_after_the_next_opening(tmp_path):
    folder = _finish(tmp_path / "run")
    for name in ("checkpoint.pt", "checkpoint-000001.0123456789abcdef.pt", ".out.txt.abcd0123.txt", "mine.txt"):
        (folder / name).write_text("left")
    shutil.copy(folder / "manifest.json", folder / "started.json")
    _finish(folder)
    assert _names(folder) == {"manifest.json", "out.txt", "mine.txt"}


def test_leftovers_below_an_unfinished_run_are_removed(tmp_path):
    with _run(tmp_path).session():
        pass
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks" / ".000-000.safetensors.abcd0123.safetensors").write_text("half")
    with _run(tmp_path).session():
        assert not list((tmp_path / "chunks").iterdir())


def _flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["manifest.json", "started.json"])
@pytest.mark.parametrize("words", ["0.1", "abc", '"format"', '"digest"', '": "', "pretrain"])
def test_a_changed_byte_of_a_record_is_noticed_and_the_remedy_works(tmp_path, name, words):
    folder = tmp_path / "run"
    if name == "manifest.json":
        _finish(folder)
    else:
        with _run(folder).session():
            pass
    path = folder / name
    _flip(path, path.read_text().index(words) + len(words) - 2)
    with pytest.raises(ArtefactError, match=r"(Move|move) the folder .*run away") as caught:
        _finish(folder)
    assert "\n" not in str(caught.value)
    folder.rename(tmp_path / "away")  # as the message says
    assert read_manifest(_finish(folder), "pretrain")["result"] == {"accuracy": 50.0}


def test_a_result_that_was_changed_is_noticed(tmp_path):
    path = _finish(tmp_path / "run") / "manifest.json"
    path.write_text(path.read_text().replace("50.0", "58.0"))
    with pytest.raises(ArtefactError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path / "run", "pretrain")


def test_a_later_format_says_so_and_an_earlier_one_is_read(tmp_path):
    path = _finish(tmp_path / "run") / "manifest.json"
    record = json.loads(path.read_text())
    write_record(path, {**record, "format": 3})
    with pytest.raises(ArtefactError, match=r"has format 3; this version of fd2lib reads up to 2"):
        read_manifest(tmp_path / "run", "pretrain")
    path.write_text(json.dumps({name: value for name, value in record.items() if name not in ("format", "digest")}))
    assert read_manifest(tmp_path / "run", "pretrain")["result"] == {"accuracy": 50.0}


def test_the_newest_checkpoint_has_one_before_it(tmp_path, caplog):
    run = _run(tmp_path)
    with run.session():
        for epoch in range(4):
            run.save_checkpoint({"epoch": epoch, "weights": torch.full((3,), epoch)})
    first, second = sorted(tmp_path.glob("checkpoint-*"))
    assert _run(tmp_path).load_checkpoint()["epoch"] == 3
    _flip(second, 700)
    again = _run(tmp_path)
    assert again.load_checkpoint()["epoch"] == 2 and f"{second} cannot be read (its bytes have changed)" in caplog.text
    again.save_checkpoint({"epoch": 3})
    assert first.exists() and not second.exists() and len(list(tmp_path.glob("checkpoint-*"))) == 2
    assert _run(tmp_path).load_checkpoint() == {"epoch": 3}


def test_when_no_checkpoint_is_whole_the_remedy_works(tmp_path):
    run = _run(tmp_path)
    with run.session():
        run.save_checkpoint({"epoch": 0})
    (path,) = tmp_path.glob("checkpoint-*")
    _flip(path, 400)
    with pytest.raises(ArtefactError, match=r"checkpoint .* cannot be read.*Move it away to begin this stage again"):
        _run(tmp_path).load_checkpoint()
    path.rename(tmp_path.parent / "away.pt")
    with _run(tmp_path).session() as manifest:
        assert manifest is None and _run(tmp_path).load_checkpoint() is None


def test_files_are_compared_before_they_are_read_unless_they_are_too_large(tmp_path, monkeypatch):
    folder = _finish(tmp_path / "run")
    assert intact(folder, "pretrain", "out.txt", "unlisted.txt") == folder
    (folder / "out.txt").write_text("resulT")
    with pytest.raises(ArtefactError, match=r"out.txt has changed since its run: its SHA-256 begins with"):
        intact(folder, "pretrain", "out.txt")
    monkeypatch.setattr(manifest._Checks, "largest", math.inf)  # and is put back
    Machine(check_up_to=1).load()
    assert manifest._Checks.largest == 2**30
    with pytest.raises(ArtefactError, match=r"out.txt has changed since its run"):
        intact(folder, "pretrain", "out.txt")
    check_up_to(5)
    assert intact(folder, "pretrain", "out.txt") == folder
    (folder / "out.txt").unlink()
    with pytest.raises(ArtefactError, match=r"out.txt is missing"):
        intact(folder, "pretrain", "out.txt")


def test_a_run_is_found_by_its_content_wherever_it_was_moved(tmp_path):
    runs = tmp_path / "runs"
    reader = runs / "relabel" / "labels"
    reader.mkdir(parents=True)
    right, wrong = _finish(runs / "pretrain" / "right"), _finish(runs / "pretrain" / "wrong", "another")
    content = content_fingerprint(right, "pretrain")
    for named in ("../../pretrain/right", str(right), "../../pretrain/wrong", "/gone/right", "/gone/nothing", ""):
        assert find_run("pretrain", content, named, reader) == right
    right.rename(runs / "pretrain" / "renamed")
    assert find_run("pretrain", content, "../../pretrain/right", reader) == runs / "pretrain" / "renamed"
    _flip(wrong / "manifest.json", 4)  # of another run: passed over
    assert find_run("pretrain", content, "", reader) == runs / "pretrain" / "renamed"
    shutil.rmtree(runs / "pretrain" / "renamed")
    assert find_run("pretrain", content, "../../pretrain/right", reader) is None
