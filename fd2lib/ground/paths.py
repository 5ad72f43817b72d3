"""Paths that people give for what will be written: checked before anything is computed for them."""

import os
import tempfile
from pathlib import Path

from fd2lib.ground.errors import SettingError, shortened


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


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True  # a name that is too long raises


def _require_writable(folder: Path, path: Path) -> None:
    nearest = folder
    try:
        nearest = next(one for one in (path, *path.parents) if _is_there(one) and not one == path != folder)
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".fd2lib-"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(
            f"nothing can be written at {shortened(str(path))}, as {shortened(str(nearest))} takes no files "
            f"({reason}). Name a place below a folder that you may write to."
        ) from error
