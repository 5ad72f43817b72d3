"""Distilled images in files: reading a finished distillation, and images for people to look at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fd2lib.ground import ArtefactError, SettingError, atomic_stream
from fd2lib.record import intact, read_manifest

IMAGES = "images.safetensors"

LONGEST = 200  # bytes of a class's name in a folder's, which most systems hold to 255 with its number


@dataclass(frozen=True)
class DistilledImages:
    """Distilled images and their starts, uint8 ``[N, 3, S, S]``, and labels ``[N]``.

    N is ipc·K, image index major; a whole training set is sorted by class and its own start.
    """

    images: Tensor
    starts: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def load_distilled(folder: str | Path, ipc: int = 0) -> DistilledImages:
    """Load a finished run's images, the first ``ipc`` of each class (0: all).

    Raises:
        ArtefactError: no finished run there, or its images have changed.
        SettingError: it has fewer images per class.
    """
    manifest = read_manifest(folder, "distill")
    stored, _ = load_tensors(intact(folder, "distill", IMAGES) / IMAGES)
    classes = tuple(manifest["result"]["classes"])
    if "labels" in stored:  # a whole training set, with classes of any count
        return DistilledImages(stored["images"], stored["images"], stored["labels"], classes)
    available, num_classes = stored["images"].shape[:2]
    if ipc > available:
        raise SettingError(f"ipc is {ipc}, but {folder} holds {available} images per class; distill with ipc = {ipc}.")
    images, starts = (stored[name][: ipc or available].flatten(0, 1) for name in ("images", "starts"))
    labels = torch.arange(num_classes).repeat(ipc or available)
    return DistilledImages(images, starts, labels, classes)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a distillation's safetensors file."""
    try:
        with safe_open(path, "pt") as stored:
            names = stored.keys()
            return {name: stored.get_tensor(name) for name in names}, stored.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ArtefactError(
            f"{path} cannot be read ({error}). Move it away and run distill again; other chunks are kept."
        ) from error


def write_pngs(folder: Path, images: Tensor, labels: Tensor, classes: Sequence[str]) -> list[int]:
    """Write images, uint8 ``[N, 3, S, S]``, as lossless PNG, and return the bytes of each file.

    A file is ``<label>_<class>/<number>.png``, numbered within its class, by labels ``[N]`` and names in their order.
    """
    counts = labels.bincount(minlength=len(classes))
    label_digits, digits = max(3, len(str(len(classes) - 1))), max(2, len(str(int(counts.max()) - 1)))
    unsafe = re.compile(r'[\s/\\:*?"<>|`\x00-\x1f\x7f]+')
    shortened = [unsafe.sub("_", name).encode()[:LONGEST].decode(errors="ignore") for name in classes]
    folders = [f"{label:0{label_digits}d}_{name}" for label, name in enumerate(shortened)]
    seen, sizes = [0] * len(classes), []
    for image, label in zip(images, labels.tolist(), strict=True):
        target = folder / folders[label] / f"{seen[label]:0{digits}d}.png"
        with atomic_stream(target) as stream:
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(stream, "PNG", optimize=True)
        seen[label] += 1
        sizes.append(target.stat().st_size)
    return sizes
