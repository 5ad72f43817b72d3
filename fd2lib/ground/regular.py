"""Only regular files are read."""

import errno
import os
import stat
from pathlib import Path

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
