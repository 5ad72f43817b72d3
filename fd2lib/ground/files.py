"""Writing files so that a killed process or a full disk never leaves half of one behind, and knowing them again.

Every file is written beside its place and takes it when it is whole. A *stamped* file carries the beginning of its own
digest in its name, as ``checkpoint-3.0123456789abcdef.pt``: whether it is whole can be told without another file.
"""

import contextlib
import errno
import functools
import hashlib
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError

from fd2lib.ground.errors import ArtefactError

_TEMPORARY = re.compile(r"\.(?P<name>.+(?P<suffix>\.\w+))\.[a-z0-9_]{8}(?P=suffix)")  # what mkstemp makes of a target
_STAMP = 16  # hexadecimal digits


@contextlib.contextmanager
def atomic_path(target: str | Path, *, stamped: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that takes its place when the block ends well.

    With ``stamped`` its digest is put into the target's name.

    Raises:
        ArtefactError: the file could not be written (disk full, limit on size, folder not writable).
    """
    with cannot_write(target):
        yield from _beside(Path(target), stamped)


def _beside(target: Path, stamped: bool) -> Iterator[Path]:
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, _stamped(target, _hash(temporary)) if stamped else target)
        temporary = None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_stream(target: str | Path, *, stamped: bool = False) -> Iterator[IO[bytes]]:
    """Yield a binary stream that becomes ``target`` as in :func:`atomic_path`, for what writes into a stream.

    Writers have errors of their own for a stream that fails, PyTorch's about positions in its archive; what is raised
    here is the stream's.

    Raises:
        ArtefactError: the file could not be written.
    """
    with atomic_path(target, stamped=stamped) as path:
        file = _File(path, "wb")
        try:
            with io.BufferedWriter(file) as stream:
                yield stream
        except Exception as error:
            if file.error is None:
                raise
            raise file.error from error


class _File(io.FileIO):
    """A file that remembers why it could not be written."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


@contextlib.contextmanager
def cannot_write(target: str | Path) -> Iterator[None]:
    """Say plainly of which file an error is that the system has with writing it.

    Raises:
        ArtefactError: the file could not be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ArtefactError(
            f"could not write {target}: {reason.rsplit('error: ', 1)[-1].rstrip('.')}. "
            "What was there before is unchanged; free some space or choose another folder, then run again."
        ) from error


def reserve(path: str | Path, size: int) -> None:
    """Make a file ``size`` bytes long and reserve room for them, so that a full disk is noticed before the work.

    Raises:
        OSError: there is no room.
    """
    with open(path, "r+b") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        stream.truncate(size)


def is_leftover(name: str) -> bool:
    """Return whether a file's name is one of a temporary that :func:`atomic_path` makes."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_leftovers(place: str | Path, *, below: bool = False) -> None:
    """Remove temporaries of processes that were killed: of one file, or all in a folder or, with ``below``, below it.

    To be called by whoever alone may write there. Other files stay.
    """
    place = Path(place)
    if place.is_dir():
        found = list(place.rglob(".*") if below else place.glob(".*"))
    else:
        found = [path for path in place.parent.glob(".*") if path.name.startswith(f".{place.name}.")]
    for path in found:
        if is_leftover(path.name) and path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def write_json(target: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(target: str | Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with atomic_stream(target) as stream:
        stream.write(text.encode("utf-8"))


def read_json(source: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtefactError: the file is missing or is not JSON.
    """
    source = Path(source)
    try:
        return json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtefactError(f"no file {source}; expected JSON there. Run the stage that writes it.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArtefactError(
            f"{source} is not valid JSON ({reason}). Move the folder {source.parent} away and run the stage again."
        ) from error


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
    return _hash(path)


def _hash(path: str | Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stamped(target: Path, digest: str) -> Path:
    return target.with_name(f"{target.stem}.{digest[:_STAMP]}{target.suffix}")


def stamped_files(target: str | Path) -> list[Path]:
    """Return the files that ``target`` became when it was written stamped, in the order of their names."""
    target = Path(target)
    return sorted(target.parent.glob(f"{target.stem}.{'[0-9a-f]' * _STAMP}{target.suffix}"))


def is_whole(path: str | Path) -> bool:
    """Return whether a stamped file is as it was written."""
    path = Path(path)
    try:
        return path.suffixes[-2:-1] == [f".{_hash(path)[:_STAMP]}"]
    except OSError:
        return False
