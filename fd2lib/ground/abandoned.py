"""Temporaries that are named after the process that makes them, so that a later one can tell that it was killed.

For what is made without a lock: an unpacked set, an exported folder, an executed page.
"""

import contextlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path


def own_name(target: Path) -> Path:
    """Return the name beside ``target`` under which this process makes it."""
    return target.with_name(f".{target.name}.{socket.gethostname()}-{os.getpid()}{target.suffix}")


@contextlib.contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that is gone when the block ends, with those of killed processes."""
    remove_abandoned(target)
    folder = own_name(target)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(target: Path) -> None:
    """Remove what killed processes of this machine left of a ``target`` that they were making."""
    host, name, suffix = (re.escape(text) for text in (socket.gethostname(), target.name, target.suffix))
    named = re.compile(rf"\.{name}\.{host}-(\d+){suffix}")
    for path in target.parent.glob(".*"):
        found = named.fullmatch(path.name)
        if not found or _is_anothers(int(found[1])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_anothers(process: int) -> bool:
    """Whether a process that is not this one is running; numbers are given again, after a restart to this one."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs, as someone else
        return True
    return process != os.getpid()
