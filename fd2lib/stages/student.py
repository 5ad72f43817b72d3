"""A trained student in a file: its weights, and the statistics of the pixels that it expects."""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fd2lib.ground import ArtefactError, atomic_path
from fd2lib.record import intact
from fd2lib.stages.pixel_statistics import Statistics

STUDENT = "student.safetensors"
_FORMERLY = "student.pt"


class StudentWeights(NamedTuple):
    """What :func:`load_student` gives."""

    state: dict[str, Tensor]  # of the backbone, for load_state_dict
    mean: tuple[float, ...]
    std: tuple[float, ...]


def save_student(folder: Path, student: nn.Module, statistics: Statistics) -> None:
    """Write a student; two equal ones are equal byte for byte."""
    state = {name: value.detach().cpu().contiguous() for name, value in student.state_dict().items()}
    # One entry: several would stand in an order of chance.
    told = {"pixels": json.dumps({"mean": statistics[0], "std": statistics[1]})}
    with atomic_path(folder / STUDENT) as path:
        save_file(state, path, metadata=told)


def load_student(folder: str | Path) -> StudentWeights:
    """Return the student of a complete evaluate run, of earlier versions too.

    Raises:
        ArtefactError: no complete run, or its student is missing or has changed.
    """
    folder = intact(folder, "evaluate", STUDENT, _FORMERLY)
    try:
        if (folder / STUDENT).is_file():
            with safe_open(folder / STUDENT, "pt") as stored:
                pixels = json.loads(stored.metadata()["pixels"])
                state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # no dictionary
        else:
            pixels = torch.load(folder / _FORMERLY, map_location="cpu", weights_only=True)
            state = pixels["state"]
    except OSError as error:
        raise ArtefactError(f"{folder} holds no student that can be read ({error}). Run evaluate again.") from error
    return StudentWeights(state, tuple(pixels["mean"]), tuple(pixels["std"]))
