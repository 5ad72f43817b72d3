"""Paths that people give: those for what will be written are checked before anything is computed for them."""

import errno
import hashlib
import os
import tempfile
from pathlib import Path

from fd2lib.ground.errors import SettingError, shortened

_LONGEST_NAME = 255  # bytes, on every usual file system


def require_output(path: str | Path) -> None:
    """Check that a file can be written at a path; its folder, and those above, may be missing.

    Raises:
        SettingError: it is a folder, or no file can be written where it would lie.
    """
    name = os.path.basename(path)
    if not name or (len(str(path)) < 4096 and "\0" not in str(path) and os.path.isdir(path)):
        raise SettingError(f"{shortened(str(path))} is a folder; expected the name of a file. Add one to it.")
    _require_writable(Path(path).parent, Path(path))


def require_output_folder(path: str | Path) -> None:
    """Check that files can be written in a folder; it, and those above, may be missing.

    Raises:
        SettingError: a file lies where a folder should, or the nearest folder that exists takes no files.
    """
    _require_writable(Path(path), Path(path))


def _require_writable(folder: Path, path: Path) -> None:
    nearest = folder
    try:
        # What is wrong with a name is not told as long as the folder above it is missing.
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "a null character")
        if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        nearest = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".fd2lib-"):
            pass
    except OSError as error:
        raise SettingError(
            f"nothing can be written at {shortened(str(path))}, as {shortened(str(nearest))} takes no files "
            f"({error.strerror}). Name a place below a folder that you may write to."
        ) from error


def folder_state(*paths: str | Path) -> str:
    """Return a digest of the files at and below paths, by name, size and time: another one tells that some changed."""
    seen = hashlib.sha256()
    for path in paths:
        found = [Path(path)] if os.path.isfile(path) else []
        found += [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        for file in sorted(found):
            try:
                told = file.stat()
            except OSError:  # a link to nothing, or gone in between
                continue
            seen.update(f"{os.fsencode(file)!r} {told.st_size} {told.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:16]
