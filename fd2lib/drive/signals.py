"""Being told to stop: a scheduler's or a closed terminal's signal ends a command as Ctrl-C does."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

_ENDING = ("SIGTERM", "SIGHUP")  # not every system has both


class Stopped(KeyboardInterrupt):
    """A signal asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"by {signal.Signals(number).name}")
        self.number = number


def _stop(number: int, frame: object) -> NoReturn:
    raise Stopped(number)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise :class:`Stopped` where SIGTERM or SIGHUP arrives while the block runs; one that is ignored stays so."""
    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    heard = [number for number in known if signal.getsignal(number) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        heard = []  # only the main thread may say what signals do
    for number in heard:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
