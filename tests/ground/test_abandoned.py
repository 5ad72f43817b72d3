"""Temporaries of killed processes: removed by the next one, and nobody else's."""

import os
import signal
import subprocess
import sys

import pytest

from fd2lib.ground.abandoned import own_name, remove_abandoned, temporary_folder


def dead_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_temporary_folder_is_empty_and_goes_with_its_block(tmp_path):
    with pytest.raises(ValueError, match="stop"), temporary_folder(tmp_path / "set") as folder:
        assert list(folder.iterdir()) == []
        (folder / "half").mkdir()
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is killed")
def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    child = os.fork()
    if child == 0:
        try:
            with temporary_folder(tmp_path / "set") as folder:
                (folder / "half").mkdir()
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)  # never goes on as a second pytest
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    with temporary_folder(tmp_path / "set"):
        assert [path.name for path in tmp_path.iterdir()] == [own_name(tmp_path / "set").name]


@pytest.mark.parametrize("target", ["set", "page.ipynb", "a[1]*.v2"])
def test_only_what_dead_processes_of_this_machine_left_is_removed(tmp_path, target):
    """Those of running processes, of other machines and targets, and files of the user's stay."""
    own = own_name(tmp_path / target)
    dead, running = own.name.replace(f"-{os.getpid()}", f"-{dead_process()}"), f"-{os.getppid()}"
    assert dead != own.name
    kept = [
        own.name.replace(f"-{os.getpid()}", running),
        dead.replace(".", ".another-", 1),
        dead.replace("-", "-elsewhere-"),
        f".{target}.mine",
        f".{target}",
        target,
    ]
    for name in (dead, *kept):
        (tmp_path / name).write_text("")
    remove_abandoned(tmp_path / target)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
