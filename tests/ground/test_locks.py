"""Locks say who holds them, and do not wait for ever."""

import os
import socket
import time
from datetime import timedelta

import pytest

from fd2lib.ground import ArtefactError, locked, locks


def test_who_waits_too_long_is_told_for_whom(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "_QUIET", timedelta(seconds=0.05))
    path = tmp_path / ".lock"
    said = rf"process {os.getpid()} on {socket.gethostname()}"
    with locked(path):
        started = time.perf_counter()
        with pytest.raises(ArtefactError, match=rf"held by {said} for 0:00:00.1"), locked(path, timedelta(seconds=0.1)):
            pytest.fail("held twice")
        assert time.perf_counter() - started < 2
        with caplog.at_level("INFO", "fd2lib"), pytest.raises(ArtefactError), locked(path, timedelta(seconds=0.1)):
            pass
    assert f"waiting for {tmp_path}, which process {os.getpid()}" in caplog.text
    with locked(path, timedelta(seconds=0.1)):
        pass


def test_a_holder_without_a_name_is_another_process(tmp_path):
    path = tmp_path / ".lock"
    with locked(path):
        path.write_text("")
        with pytest.raises(ArtefactError, match="held by another process"), locked(path, timedelta()):
            pass
