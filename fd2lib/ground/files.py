"""Writing files so that a killed process or a full disk never leaves half of one behind."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fd2lib.ground.errors import ArtefactError


@contextlib.contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that takes its place when the block ends well.

    Raises:
        ArtefactError: the file could not be written (disk full, folder not writable).
    """
    target = Path(target)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise ArtefactError(
            f"could not write {target}: {error.strerror or error}. "
            "What was there before is unchanged; free some space or choose another folder, then run again."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json(target: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(target) as path:
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(source: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtefactError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(source).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtefactError(f"no file {source}; expected JSON there. Run the stage that writes it.") from error
    except ValueError as error:
        raise ArtefactError(f"{source} is not valid JSON ({error}). Move it away and run the stage again.") from error


KINDS = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket"}


def require_file(path: str | Path) -> None:
    """Refuse what is no regular file: reading a named pipe waits for ever, and a device may never end.

    Raises:
        OSError: it is not there, or is something else.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        found = next((name for test, name in KINDS.items() if test(mode)), "a device")
        raise OSError(errno.EINVAL, f"{found}, not a file")


def file_digest(path: str | Path) -> str:
    """Return the hex SHA-256 of a file's bytes; one that did not change is read once.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    require_file(path)
    status = os.stat(path)
    return _digest(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _digest(path: str, size: int, modified: int) -> str:
    del size, modified  # they tell whether the file changed
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
