"""Manifests: what a finished run was made from and holds, with digests by which a changed byte is noticed.

Format 2 carries a digest of itself, and names other runs by paths relative to the folder it lies in. Format 1, which
names none, has neither; both are read.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from fd2lib.ground import ArtefactError, file_digest, read_json, write_json

SCHEMA = 1  # of what is fingerprinted
FORMAT = 2
MANIFEST, STARTED = "manifest.json", "started.json"
logger = logging.getLogger(__name__)


def fingerprint(stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the hex SHA-256 of what determines a stage's output, the device aside."""
    return _digest([SCHEMA, stage, dict(settings), dict(inputs)])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_record(path: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a manifest, or what a started run has in its place, and return it with its format and digest."""
    told = {"format": FORMAT, **{name: value for name, value in record.items() if name != "digest"}}
    told["digest"] = _digest(told)
    write_json(path, told)
    return told


def read_record(path: Path) -> dict[str, Any]:
    """Read what :func:`write_record` wrote, or an earlier version.

    Raises:
        ArtefactError: it is missing, damaged, or of a later version.
    """
    record = read_json(path)
    whole = isinstance(record, dict) and {"stage", "settings", "inputs", "fingerprint"} <= record.keys()
    if whole and {"format", "digest"} & record.keys():
        rest = {name: value for name, value in record.items() if name != "digest"}
        whole = record.get("digest") == _digest(rest)
    if not whole:
        raise ArtefactError(
            f"{path} is damaged: what it says does not fit its own digest. "
            f"Move the folder {path.parent} away and run the stage again, or put the original file back."
        )
    if (written := record.get("format", 1)) > FORMAT:
        raise ArtefactError(
            f"{path} has format {written}; this version of fd2lib reads up to {FORMAT}. Use a later one."
        )
    return record


def read_manifest(folder: str | Path, stage: str = "") -> dict[str, Any]:
    """Return the manifest of a complete run folder of ``stage``, or of any stage.

    Raises:
        ArtefactError: the folder is missing, incomplete or damaged, or belongs to another stage.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        state = "was started but not finished" if (Path(folder) / STARTED).is_file() else "does not exist"
        raise ArtefactError(
            f"{stage or 'the'} run {folder} {state}; expected a complete run. "
            f"Run {stage or 'its stage'} with this folder first."
        )
    manifest = read_record(path)
    if stage and manifest["stage"] != stage:
        raise ArtefactError(
            f"{folder} holds a run of {manifest['stage']!r}; expected {stage!r}. Name its folder instead."
        )
    return manifest


def content_fingerprint(folder: str | Path, stage: str) -> str:
    """Return a digest of a complete run's files, for the stage that reads them."""
    return _digest([stage, read_manifest(folder, stage)["files"]])


class _Checks:
    largest: ClassVar[float] = math.inf  # bytes of a file that is checked before it is read


def check_up_to(size: float) -> None:
    """Check only files of at most so many bytes from now on: a check reads a file once in each process."""
    _Checks.largest = size


def intact(folder: str | Path, stage: str, *names: str) -> Path:
    """Return the folder of a complete run after some of its files were compared with the digests of its manifest.

    As of :func:`read_manifest`, the run may be of any stage.

    Raises:
        ArtefactError: no complete run, or a file is missing or has changed.
    """
    manifest = read_manifest(folder, stage)
    told = manifest["files"]
    for name in told.keys() & set(names):
        path = Path(folder) / name
        if path.is_file() and path.stat().st_size > _Checks.largest:
            continue
        if changed := what_changed(path, told[name]):
            raise ArtefactError(
                f"{changed}. Put the original back, or move the folder {folder} away and run {manifest['stage']} again."
            )
    return Path(folder)


def what_changed(path: Path, told: str) -> str:
    """Return in words how a file differs from the digest that its manifest tells; nothing where it does not."""
    if not path.is_file():
        return f"{path} is missing, though its run was finished"
    try:
        seen = file_digest(path)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if seen == told:
        return ""
    return f"{path} has changed since its run: its SHA-256 begins with {seen[:12]}, expected {told[:12]}"


def find_run(stage: str, content: str, named: str | Path, folder: str | Path) -> Path | None:
    """Return the complete run that another one names: by the fingerprint of its content, wherever it was moved.

    Looked for are the path as ``named``, if relative from the naming run's ``folder``, and then every run of the stage
    below the runs folder that this one lies in, one of the same name first.
    """
    beside = Path(folder).resolve().parent.parent / stage
    for place in dict.fromkeys([Path(folder) / named, beside / Path(named).name, *sorted(beside.glob("*"))]):
        try:
            if (place / MANIFEST).is_file() and content_fingerprint(place, stage) == content:
                return place.resolve()
        except ArtefactError as error:
            logger.warning("passing over %s: %s", place, error)
    return None
