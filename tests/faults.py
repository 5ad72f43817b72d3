"""Processes that die, or meet a full disk, at a chosen file operation, and what is left of a run then.

A child process is forked, so that nothing is imported again; in it the functions that touch files are wrapped at one
place, and at the n-th call the process is gone: before the operation, after it, or with half of the bytes written. Or
the call fails, as on a full disk.
"""

import builtins
import contextlib
import errno
import io
import json
import os
import pickle
import resource
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from fd2lib.ground import files
from fd2lib.stages import label_store

KILLED = 77  # exit status of a process that the harness ended
FULL = "disk full"
_ON_A_FULL_DISK = ("mkdir", "open", "write", "replace", "posix_fallocate", "serialize_file")  # what fails there


@dataclass(frozen=True)
class Operation:
    """One call that touches a file of the run."""

    name: str
    file: str  # relative to the run's folder, without what is drawn for temporary names
    moments: tuple[str, ...]


@dataclass
class Death:
    """When it happens: at the n-th operation (from 0), before or after it, or half-way; None: nothing happens."""

    at: int | None = None
    moment: str = "before"


class _Wrapped:
    """Wraps what touches files below a folder, for as long as this process lives."""

    def __init__(self, root: Path, death: Death) -> None:
        self.root, self.death, self.seen = str(root), death, list[Operation]()

    def place(self, owner: Any, name: str, path_at: int = 0, half: Callable[..., None] | None = None) -> None:
        original = getattr(owner, name)
        fails = name in _ON_A_FULL_DISK and owner is not label_store._Rows  # whose own calls of open do

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            path = _path_of(args[path_at]) if len(args) > path_at else ""
            if not path.startswith(self.root) or not _changes(name, args, kwargs):
                return original(*args, **kwargs)
            moments = ["before", "after"] + ["half"] * bool(half) + [FULL] * fails
            self.seen.append(Operation(name, _told(path, self.root), tuple(moments)))
            due = self.death.at == len(self.seen) - 1
            if due and self.death.moment == "before":
                os._exit(KILLED)
            if due and self.death.moment == FULL:
                error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if isinstance(args[0], files._File):
                    args[0].error = error  # as its own write would do
                raise error
            if due and self.death.moment == "half" and half:
                half(*args)
                os._exit(KILLED)
            try:
                return original(*args, **kwargs)
            finally:
                if due:
                    os._exit(KILLED)

        setattr(owner, name, wrapped)


def _path_of(value: Any) -> str:
    if isinstance(value, int):  # a descriptor
        return os.readlink(f"/proc/self/fd/{value}")
    if isinstance(value, label_store._Rows):
        return str(value._path)
    return str(getattr(value, "name", None) or value) if not isinstance(value, str | Path) else str(value)


def _changes(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call changes something: files are opened for reading as well."""
    if name != "open":
        return True
    mode = args[1] if len(args) > 1 else kwargs.get("mode", "r")
    return (
        bool(mode & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if isinstance(mode, int) else mode[0] != "r" or "+" in mode
    )


def _told(path: str, root: str) -> str:
    parts = Path(path).relative_to(root).parts
    return "/".join(part.rsplit(".", 2)[0] + ".*" if files.is_leftover(part) else part for part in parts) or "."


def _half_file(source: str, *_: Any) -> None:
    """The process dies while its temporary file is half written."""
    with open(source, "r+b") as stream:
        stream.truncate(os.path.getsize(source) // 2)


def _half_bytes(stream: io.FileIO, data: Any) -> None:
    io.FileIO.write(stream, bytes(data)[: len(data) // 2])


def _wrap(root: Path, death: Death) -> _Wrapped:
    wrapped = _Wrapped(root, death)
    rows = label_store._Rows.write

    def half_rows(of: Any, epoch: int, data: bytes) -> None:
        rows(of, epoch, data[: len(data) // 2])

    for name in ("mkdir", "unlink", "chmod", "posix_fallocate", "open"):
        wrapped.place(os, name)
    wrapped.place(os, "replace", half=_half_file)
    wrapped.place(safetensors.torch, "serialize_file", path_at=1)
    wrapped.place(files._File, "write", half=_half_bytes)
    wrapped.place(label_store._Rows, "write", half=half_rows)
    wrapped.place(builtins, "open")
    wrapped.place(io, "open")
    return wrapped


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do work in a forked process; returns its exit status, and what it returned or, of status 1, its error."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read)
        status, told = 1, None
        try:
            status, told = 0, work()
        except BaseException as error:  # noqa: BLE001  # the child ends here, whatever it was
            told = f"{type(error).__name__}: {error}", traceback.format_exc()
        with contextlib.suppress(BaseException), os.fdopen(write, "wb") as stream:
            pickle.dump(told, stream)
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), pickle.loads(content) if content else None


def operations(work: Callable[[], Any], root: Path) -> list[Operation]:
    """Return the operations of work that ends well, in a process of its own."""

    def watched() -> list[Operation]:
        wrapped = _wrap(root, Death())
        work()
        return wrapped.seen

    status, seen = in_child(watched)
    assert status == 0, seen
    return seen


def struck(work: Callable[[], Any], root: Path, death: Death) -> tuple[int, Any]:
    """Start work in a process that dies, or meets a full disk, at an operation."""

    def doomed() -> None:
        _wrap(root, death)
        work()

    return in_child(doomed)


def content(folder: Path) -> dict[str, Any]:
    """Return what a run's folder holds, by name; of manifests what does not tell time and machine."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.endswith(".lock"):
            found[name] = path.read_bytes()
        if path.name == "manifest.json":
            volatile = ("seconds", "provenance", "digest")
            found[name] = {key: value for key, value in json.loads(found[name]).items() if key not in volatile}
    return found


def limited(work: Callable[[], Any], size: int) -> tuple[int, Any]:
    """Do work in a process whose files may be of at most so many bytes."""

    def doomed() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        work()

    return in_child(doomed)
