"""Preparing packs: ``NAME-train.tar``, ``NAME-test.tar`` and ``NAME-metadata.tar.gz`` into ``ROOT/NAME``."""

import contextlib
import logging
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from fd2lib.data.registry import dataset_info
from fd2lib.ground import DataError

logger = logging.getLogger(__name__)

PIECES = ("train.tar", "test.tar", "metadata.tar.gz")


def prepare(name: str, source: str | Path, root: str | Path, *, progress: bool = True) -> Path:
    """Unpack a set's tars into ``root/name``.

    The folder appears complete or not at all: unpacking goes to a temporary folder beside it. What is already
    there is never touched: when it holds every file of the tars it is taken as it is.

    The folder ``source`` holds ``NAME-train.tar``, ``NAME-test.tar`` and ``NAME-metadata.tar.gz``, all members of which
    must lie under the name of a registered set. ``root`` is made where it does not exist. Returns ``root/name``.

    Raises:
        SettingError: an unknown name.
        DataError: a tar is missing, damaged or holds a member outside ``NAME/``; or ``root/name`` is something else.
    """
    dataset_info(name)
    source, root = Path(source).expanduser(), Path(root).expanduser()
    tars = [source / f"{name}-{piece}" for piece in PIECES]
    missing = [tar.name for tar in tars if not tar.is_file()]
    if missing:
        raise DataError(f"{source} lacks {', '.join(missing)}; expected the three tars of {name} there (--from).")
    target = root / name
    try:
        if target.exists() or target.is_symlink():
            _check_prepared(target, tars)
            logger.info("%s is already prepared", target)
            return target
        root.mkdir(parents=True, exist_ok=True)
        # Named with a dot and removed on any failure: only the rename makes the set visible.
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}.", ignore_cleanup_errors=True) as temporary:
            _unpack(tars, Path(temporary), name, progress)
            os.rename(Path(temporary) / name, target)
    except OSError as error:
        raise DataError(
            f"could not prepare {name} in {root} ({error.strerror or error}); nothing was left behind. "
            "Check that the folder can be written and has space, then run again."
        ) from error
    return target


def _unpack(tars: list[Path], folder: Path, name: str, progress: bool) -> None:
    total = sum(tar.stat().st_size for tar in tars)
    disable = None if progress else True  # None leaves it to tqdm: no bar where standard error is not a terminal
    with tqdm(total=total, desc=f"unpacking {name}", unit="B", unit_scale=True, disable=disable) as bar:
        for tar in tars:
            with _opened(tar, name) as (archive, members):
                archive.extractall(folder, members, filter="data")  # owners, links and odd modes are not taken over
            bar.update(tar.stat().st_size)
    if not (folder / name / "train").is_dir() or not (folder / name / "test").is_dir():
        raise DataError(f"the tars of {name} hold no {name}/train and {name}/test; fetch them again.")


@contextlib.contextmanager
def _opened(tar: Path, name: str) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """Open a tar, and give its members, each checked when it comes to be a plain file or folder under ``name/``."""
    try:
        with tarfile.open(tar) as archive:
            yield archive, (_checked(member, tar, name) for member in archive)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"{tar} is damaged or cut short ({reason}); nothing of it was kept. Fetch it again.") from error


def _checked(member: tarfile.TarInfo, tar: Path, name: str) -> tarfile.TarInfo:
    path = PurePosixPath(member.name)
    inside = not path.is_absolute() and ".." not in path.parts and path.parts[:1] == (name,)
    if not inside or not (member.isreg() or member.isdir()):
        raise DataError(
            f"{tar} holds {member.name!r}, which is not a plain file or folder under {name}/; "
            "nothing was unpacked. Fetch the tars again from where they came."
        )
    return member


def _check_prepared(target: Path, tars: list[Path]) -> None:
    count, wrong = 0, []
    for tar in tars:
        with _opened(tar, target.name) as (_, members):
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
