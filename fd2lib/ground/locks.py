"""Locks that say who holds them."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import filelock

from fd2lib.ground.errors import ArtefactError

LONGEST_WORK = timedelta(days=7)  # a run folder is held while its stage is made
_QUIET = timedelta(seconds=5)  # so long nothing is said of waiting
logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: str | Path, patience: timedelta = LONGEST_WORK) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; who waits is told for whom.

    Raises:
        ArtefactError: another process held it for all of ``patience``.
        OSError: the file cannot be made.
    """
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=min(_QUIET, patience).total_seconds())
    except filelock.Timeout:
        logger.info("waiting for %s, which %s uses", Path(path).parent, _holder(path))
        try:
            lock.acquire(timeout=max(patience - _QUIET, timedelta()).total_seconds())
        except filelock.Timeout as error:
            raise ArtefactError(
                f"{path} was held by {_holder(path)} for {patience}; expected it to be free by then. "
                "End that process if it hangs, then run again."
            ) from error
    try:
        if not isinstance(lock, filelock.SoftFileLock):  # whose own file says who holds it
            with contextlib.suppress(OSError):  # a full disk: the name is a courtesy
                Path(path).write_text(f"{os.getpid()}\n{socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        lock.release()


def _holder(path: str | Path) -> str:
    try:
        process, host, *_ = Path(path).read_text(encoding="utf-8", errors="replace").split()
    except (OSError, ValueError):
        return "another process"
    return f"process {process} on {host}"
