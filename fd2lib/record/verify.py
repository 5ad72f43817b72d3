"""Checking every run below a folder: what is whole, what is damaged, what was never finished."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fd2lib.ground import ArtefactError, is_whole
from fd2lib.record.checkpoints import Checkpoints
from fd2lib.record.manifest import MANIFEST, STARTED, fingerprint, read_record, what_changed


@dataclass(frozen=True)
class Verified:
    """What was found of one run folder."""

    folder: Path
    state: str  # ok, damaged or unfinished
    told: str = ""  # what is wrong, or what will happen


def verify_runs(root: str | Path) -> Iterator[Verified]:
    """Read every file of every run below ``root`` and compare it with what its manifest says; nothing is changed.

    Raises:
        ArtefactError: there is no such folder, or no run below it.
    """
    found = False
    for folder, below, files in os.walk(root):
        below.sort()
        if {MANIFEST, STARTED} & set(files):
            found = True
            below.clear()
            yield _verify(Path(folder), MANIFEST in files)
    if not found:
        state = "holds no run" if Path(root).is_dir() else "is no folder"
        raise ArtefactError(f"{root} {state}; expected a runs folder, with folders such as pretrain/NAME below it.")


def _verify(folder: Path, complete: bool) -> Verified:
    try:
        record = read_record(folder / (MANIFEST if complete else STARTED))
    except ArtefactError as error:
        return Verified(folder, "damaged", str(error))
    if record["fingerprint"] != fingerprint(record["stage"], record["settings"], record["inputs"]):
        return Verified(folder, "damaged", "settings and inputs do not fit the fingerprint")
    if not complete:
        return _unfinished(folder)
    wrong = [told for name, digest in record["files"].items() if (told := what_changed(folder / name, digest))]
    wrong += _damaged_pictures(folder)
    return Verified(folder, "damaged", "; ".join(wrong)) if wrong else Verified(folder, "ok")


def _unfinished(folder: Path) -> Verified:
    whole = Checkpoints(folder).whole()
    if whole and not any(whole):
        return Verified(folder, "damaged", "no checkpoint is whole")
    fallback = "the newest checkpoint is damaged: it goes on from the one before it" if whole and not whole[-1] else ""
    chunks = [path for path in sorted((folder / "chunks").glob("*.*.safetensors")) if not is_whole(path)]
    again = [f"{path} is damaged: it is made again" for path in chunks]
    return Verified(folder, "unfinished", "; ".join([fallback] * bool(fallback) + again))


def _damaged_pictures(folder: Path) -> list[str]:
    """Images for people, whose bytes the manifest does not list; PNG files have checksums of their own."""
    wrong = []
    for path in sorted(path for name in ("images", "starts") for path in (folder / name).rglob("*.png")):
        with contextlib.suppress(OSError, SyntaxError, ValueError), Image.open(path) as image:
            image.verify()
            continue
        wrong.append(f"{path} is damaged")
    return wrong
