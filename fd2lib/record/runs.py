"""Running a stage in a folder named after what it is made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from fd2lib.ground import StageSettings, identity
from fd2lib.record.manifest import fingerprint

Result = TypeVar("Result")


class StageInputs(Protocol):
    """What a stage reads: a label for the folder's name, and fingerprints."""

    @property
    def label(self) -> str:
        """Short name of the inputs, for people."""

    def fingerprints(self) -> dict[str, str]:
        """Name to fingerprint of every input."""


def run_or_load(
    stage_function: Callable[..., Result],
    settings: StageSettings,
    inputs: StageInputs,
    runs_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Result:
    """Run a stage below ``runs_dir``, or load it when it was run before.

    The folder is ``runs_dir/<stage>/<label>-<fingerprint>``, so other settings never meet in one folder.
    """
    digest = fingerprint(settings.stage, identity(settings), inputs.fingerprints())
    folder = Path(runs_dir) / settings.stage / f"{inputs.label}-{digest[:12]}"
    return stage_function(settings, inputs, folder, device=device, progress=progress)
