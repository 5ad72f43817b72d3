"""A command that is told to stop says so, and ends with the status that tells the signal."""

import os
import signal
import threading

import pytest

from fd2lib.drive import cli


@pytest.fixture(autouse=True)
def as_in_a_shell():
    """A process in the background is started with signals ignored."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stopping(monkeypatch):
    """``stopping(number)`` runs a command that gets a signal while it works; returns its status."""

    def run(number):
        monkeypatch.setattr(cli.List, "run", lambda self: os.kill(os.getpid(), number))
        return cli.main(["data", "list"])

    return run


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGINT, 130, "stopped. Run"),
        (signal.SIGTERM, 143, "stopped (by SIGTERM). Run"),
        (signal.SIGHUP, 129, "stopped (by SIGHUP). Run"),
    ],
)
def test_signals_say_the_same_and_end_with_their_status(stopping, capsys, number, status, words):
    before = signal.getsignal(number)
    assert stopping(number) == status
    said = capsys.readouterr().err
    assert words in said and "the same command again to continue where it was." in said and len(said.splitlines()) == 1
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_so(stopping):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        assert stopping(signal.SIGHUP) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_signals_are_left_alone(monkeypatch):
    monkeypatch.setattr(cli.List, "run", lambda self: None)
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(cli.main(["data", "list"])))
    thread.start()
    thread.join()
    assert statuses == [0]
