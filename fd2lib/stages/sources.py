"""The runs that a relabel run was made from, found again when folders were moved."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fd2lib.record import find_run


def path_from(folder: Path, other: str | Path) -> str:
    """Return the path of another run as seen from a run's folder: both may move together."""
    return Path(os.path.relpath(Path(other).resolve(), folder.resolve())).as_posix()


def source_folders(folder: Path, distilled: str, teachers: Sequence[str], contents: Mapping[str, str]) -> list[Path]:
    """Return the folders of the images and of each teacher that a relabel run names, by what is in them.

    ``contents`` are the fingerprints of its inputs. One that is not found is as it was named.
    """
    named = {"distilled": ("distill", distilled)}
    named |= {f"teacher_{i}": ("pretrain", teacher) for i, teacher in enumerate(teachers)}
    return [
        find_run(stage, contents[name], path, folder) or (folder / path).resolve()
        for name, (stage, path) in named.items()
    ]
