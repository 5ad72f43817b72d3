"""Preparing packs: ``NAME-train.tar``, ``NAME-test.tar`` and ``NAME-metadata.tar.gz`` into ``ROOT/NAME``."""

import contextlib
import gzip
import logging
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from tqdm.auto import tqdm

from fd2lib.data.folder import scan_folder
from fd2lib.data.registry import differences, get_reader
from fd2lib.ground import DataError, SettingError, file_digest
from fd2lib.ground.abandoned import temporary_folder

logger = logging.getLogger(__name__)

PIECES = ("train.tar", "test.tar", "metadata.tar.gz")
GROWTH, ROOM = 20, 64 * 2**20  # what a tar may unpack to unasked: so many times its size, and so many bytes besides
BLOCK = 512  # bytes; a tar ends with empty ones, without which it was cut
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


def prepare(name: str, source: str | Path, root: str | Path, *, limit_mib: int = 0, progress: bool = True) -> Path:
    """Unpack a set's tars into ``root/name``.

    The folder appears complete or not at all: unpacking goes to a temporary folder beside it, and what came out must
    have the classes and images of the official set. What is already there is never touched: when it holds every file of
    the tars it is taken as it is.

    The folder ``source`` holds ``NAME-train.tar``, ``NAME-test.tar`` and ``NAME-metadata.tar.gz``, all members of which
    must lie under the name of a registered set. ``root`` is made where it does not exist. Returns ``root/name``.

    Each tar may unpack to ``limit_mib`` MiB, or where that is 0 to 20 times its own size and 64 MiB.

    Raises:
        SettingError: an unknown name, or a limit below 0.
        DataError: a tar is missing, damaged, cut, unpacks to more than its limit or holds a member outside ``NAME/``;
            all together are not the whole set; or ``root/name`` is something else.
    """
    reader = get_reader(name)
    if limit_mib < 0:
        raise SettingError(f"limit is {limit_mib} MiB; expected 0 (20 times a tar's size) or more.")
    source, root = (Path(os.path.expanduser(path)) for path in (source, root))
    tars = [source / f"{name}-{piece}" for piece in PIECES]
    target = root / name
    try:
        missing = [tar.name for tar in tars if not os.path.isfile(tar)]
        if missing:
            raise DataError(f"{source} lacks {', '.join(missing)}; expected the three tars of {name} there (--from).")
        for piece, tar in zip(PIECES, tars, strict=True):
            if reader.packs.get(piece, file_digest(tar)) != file_digest(tar):
                logger.warning("%s is not the copy whose digest is known; what it holds is counted", tar)
        if target.exists() or target.is_symlink():
            _check_prepared(target, tars, limit_mib)
            logger.info("%s is already prepared", target)
            return target
        root.mkdir(parents=True, exist_ok=True)
        # Removed on any failure: only the rename makes the set visible.
        with temporary_folder(target) as temporary:
            _unpack(tars, temporary, name, limit_mib, progress)
            if wrong := differences(reader.info, scan_folder(temporary / name)):
                raise DataError(f"the tars of {name} hold {wrong}; nothing of them was kept. Fetch the whole set.")
            os.rename(temporary / name, target)
    except OSError as error:
        raise DataError(
            f"could not prepare {name} in {root} ({error.strerror or error}); nothing was left behind. "
            "Check that the folder can be written and has space, then run again."
        ) from error
    return target


def _unpack(tars: list[Path], folder: Path, name: str, limit_mib: int, progress: bool) -> None:
    total = sum(tar.stat().st_size for tar in tars)
    if total > (free := shutil.disk_usage(folder).free):
        raise DataError(f"{name} needs at least {total / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free in {folder}.")
    disable = None if progress else True  # None leaves it to tqdm: no bar where standard error is not a terminal
    with tqdm(total=total, desc=f"unpacking {name}", unit="B", unit_scale=True, disable=disable) as bar:
        for tar in tars:
            with _opened(tar, name, limit_mib) as (archive, members):
                archive.extractall(folder, members, filter="data")  # owners, links and odd modes are not taken over
            bar.update(tar.stat().st_size)
    if not (folder / name / "train").is_dir() or not (folder / name / "test").is_dir():
        raise DataError(f"the tars of {name} hold no {name}/train and {name}/test; fetch them again.")


class _Bounded:
    """A stream that refuses to be read beyond a limit, before anything is read: gzip makes much out of little."""

    def __init__(self, stream: IO[bytes], limit: int, tar: Path) -> None:
        self._stream, self._limit, self._tar = stream, limit, tar
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        self.require(self.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        self.require(position)
        return self._stream.seek(position)

    def require(self, size: int) -> None:
        """Raise DataError where a size is beyond the limit."""
        if size > self._limit:
            raise DataError(
                f"{self._tar} has {self._tar.stat().st_size / 2**20:.1f} MiB and unpacks to more than "
                f"{self._limit / 2**20:.0f} MiB; nothing of it was kept. If it should, raise the limit (--limit-mib)."
            )


@contextlib.contextmanager
def _opened(tar: Path, name: str, limit_mib: int) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """Open a tar, and give its members, each checked when it comes to be a plain file or folder under ``name/``."""
    limit = limit_mib * 2**20 or GROWTH * tar.stat().st_size + ROOM
    try:
        with tar.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if zipped else contextlib.nullcontext(raw) as plain:
                stream = _Bounded(cast(IO[bytes], plain), limit, tar)
                with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]  # reads, seeks
                    yield archive, _members(archive, stream, tar, name)
    except DAMAGE as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"{tar} is damaged or cut short ({reason}); nothing of it was kept. Fetch it again.") from error


def _members(archive: tarfile.TarFile, stream: _Bounded, tar: Path, name: str) -> Iterator[tarfile.TarInfo]:
    """Yield the members; all are within the limit together, and what ends them is a tar's end, not the file's."""
    total = 0
    for member in archive:
        total += member.size  # of a sparse file, more than the stream holds
        stream.require(total)
        yield _checked(member, tar, name)
    stream.seek(archive.offset)
    end = stream.read(BLOCK)
    if len(end) < BLOCK or any(end):
        raise tarfile.ReadError("it does not end as a tar does, with empty blocks")
    while stream.read(BLOCK):  # to the end of a gzip stream, where its checksum is
        pass


def _checked(member: tarfile.TarInfo, tar: Path, name: str) -> tarfile.TarInfo:
    path = PurePosixPath(member.name)
    inside = not path.is_absolute() and ".." not in path.parts and path.parts[:1] == (name,)
    if not inside or not (member.isreg() or member.isdir()):
        raise DataError(
            f"{tar} holds {member.name!r}, which is not a plain file or folder under {name}/; "
            "nothing was unpacked. Fetch the tars again from where they came."
        )
    return member


def _check_prepared(target: Path, tars: list[Path], limit_mib: int) -> None:
    count, wrong = 0, []
    for tar in tars:
        with _opened(tar, target.name, limit_mib) as (_, members):
            for member in members:
                count += member.isreg()
                path = target.parent.joinpath(*PurePosixPath(member.name).parts)
                if member.isreg() and not (path.is_file() and path.stat().st_size == member.size):
                    wrong.append(member.name)
    if wrong:
        raise DataError(
            f"{target} exists but {len(wrong)} of the tars' {count} files are missing or differ, such as {wrong[0]}; "
            "it was left as it is. Move it away or choose another root, then run again."
        )
