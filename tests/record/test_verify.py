"""``fd2lib verify``: every run is whole, damaged or unfinished, and one that is damaged ends with status 1."""

import os
import shutil
from pathlib import Path

import pytest

from fd2lib.drive.cli import main
from fd2lib.ground import ArtefactError
from fd2lib.record import verify_runs

OLD = Path(__file__).with_name("old_run") / "format_2"


@pytest.fixture
def runs(tmp_path):
    return Path(shutil.copytree(OLD, tmp_path / "runs"))


def _flip(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_whole_runs_end_with_status_0(runs, capsys):
    assert main(["verify", str(runs)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[:-1]].count("ok") == 4
    assert said[-1] == f"Runs below {runs}: 4 ok, 2 unfinished, 0 damaged."


FILES = sorted(path.relative_to(OLD).as_posix() for path in OLD.rglob("*") if path.is_file() and "unf" not in str(path))


@pytest.mark.parametrize("name", [name for name in FILES if "/chunks/" not in name])
def test_a_changed_byte_of_any_file_of_a_complete_run_is_found(runs, name, capsys):
    path = runs / name
    _flip(path, path.stat().st_size // 2)
    assert main(["verify", str(runs)]) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("damaged")]
    assert path.name in line and "3 ok, 2 unfinished, 1 damaged" in said.err and len(said.err.splitlines()) == 1


def test_a_missing_file_is_found(runs):
    (path,) = runs.glob("relabel/*/teacher_logits.npy")
    path.unlink()
    (one,) = [one for one in verify_runs(runs) if one.state == "damaged"]
    assert "teacher_logits.npy is missing" in one.told and one.folder == path.parent


def test_an_unfinished_run_says_what_will_be_made_again(runs):
    (checkpoint,), (chunk,) = runs.glob("unfinished_distill/check*"), runs.glob("unfinished_distill/chunks/*")
    _flip(chunk)
    told = {one.folder.name: one for one in verify_runs(runs)}
    assert told["unfinished_distill"].state == "unfinished" and "made again" in told["unfinished_distill"].told
    _flip(checkpoint)
    told = {one.folder.name: one for one in verify_runs(runs)}
    assert told["unfinished_distill"].state == "damaged" and "no checkpoint is whole" in told["unfinished_distill"].told


def test_nothing_to_check_is_an_error(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "holds no run; expected a runs folder" in capsys.readouterr().err
    with pytest.raises(ArtefactError, match="is no folder"):
        list(verify_runs(tmp_path / "none"))


def test_nothing_is_changed(runs):
    def state():
        return {path: path.stat().st_mtime_ns for path in runs.rglob("*")}

    before = state()
    list(verify_runs(runs))
    assert state() == before and not [name for _, _, names in os.walk(runs) for name in names if name == ".lock"]
