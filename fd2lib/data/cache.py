"""A cache of decoded pixels: one safetensors file and one JSON record per data set, size and subset.

The cache is only ever a shortcut: when it is missing, damaged or cannot be written, the images are read again.
"""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import PIL
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fd2lib.data.listing import Listing
from fd2lib.ground import ArtefactError, atomic_path, read_json, write_json

logger = logging.getLogger(__name__)

FORMAT = 1  # raise when decoding or the files' layout changes


def cache_folder(cache: str | Path = "") -> Path | None:
    """Return the folder for decoded pixels: ``cache``, else ``FD2LIB_CACHE``, else ``~/.cache/fd2lib``.

    Returns:
        The folder, which may not exist yet; ``None`` where there is no home folder either.
    """
    chosen = str(cache) or os.environ.get("FD2LIB_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fd2lib"
    except RuntimeError:
        return None


def cache_key(name: str, listing: Listing, size: int) -> str:
    """Return what identifies decoded pixels: the set, size, classes, and each file's name, bytes and age.

    Raises:
        DataError: a listed file is missing.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, PIL.__version__, name, size, list(listing.classes)]).encode())
    for split, files in listing.splits().items():
        digest.update(json.dumps([split, files.crop_bottom, list(files.labels), files.stamps()]).encode())
    return f"{name}-{size}-{digest.hexdigest()[:16]}"


def read_cache(folder: Path | None, key: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return the tensors and the record stored under ``key``, or ``None``."""
    if folder is None or not (folder / f"{key}.json").is_file():
        return None
    try:
        record = read_json(folder / f"{key}.json")
        path = folder / f"{key}.safetensors"
        return (load_file(path) if path.is_file() else {}), record
    except (ArtefactError, OSError, SafetensorError, ValueError) as error:
        logger.warning("cannot use the cached pixels %s (%s); reading the images again", key, error)
        return None


def write_cache(folder: Path | None, key: str, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Store tensors, then the record that says they are complete; a folder that cannot be written is only logged."""
    if folder is None:
        return
    try:
        if tensors:
            with atomic_path(folder / f"{key}.safetensors") as path:
                save_file(tensors, path)
        write_json(folder / f"{key}.json", record)
    except (ArtefactError, OSError, SafetensorError) as error:
        logger.warning("decoded pixels are not kept: %s Set FD2LIB_CACHE to a folder that can be written.", error)
