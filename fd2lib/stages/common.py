"""What the four stages share: devices, precision, history files, loading each other's folders."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from fd2lib.ground import SettingError, TrainingError, atomic_path


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device for ``cpu``, ``cuda``, ``cuda:1`` …, or ``auto`` (CUDA where there is one).

    Raises:
        SettingError: no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise SettingError(f"device is {device!r}; expected auto, cpu, cuda or cuda:N.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise SettingError(f"device is {device!r}, but PyTorch sees no CUDA device; use cpu or auto.")
    return chosen


@contextlib.contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Use deterministic kernels inside the block, and as many CPU threads as the stage's settings say.

    So a resumed run is bit-identical, whatever the process was started with: sums that are split among another number
    of threads round differently.
    """
    threads_before = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, fill = torch.backends.cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first call
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that costs a sixth of a CPU step
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
        torch.utils.deterministic.fill_uninitialized_memory = fill


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the autocast context for ``fp32`` (off), ``bf16``, or ``mixed`` (bf16 where the device is fast at it)."""
    enabled = precision == "bf16" or (precision == "mixed" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 pixels to float in [0, 1], channels last, which is what convolutions are fastest on."""
    return images.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)


def normalize_pixels(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Images in [0, 1] to what a network expects: ``(x − mean) / std`` per channel."""
    shift, scale = (torch.tensor(value, device=images.device).view(3, 1, 1) for value in (mean, std))
    return (images - shift) / scale


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """Float images in [0, 1] to rounded uint8."""
    return images.mul(255).round().clamp(0, 255).to(torch.uint8)


def require_finite(values: Mapping[str, float], where: str, remedy: str) -> None:
    """Stop when a recorded loss is not a number.

    Raises:
        TrainingError: naming the term, its value and where it happened.
    """
    for name, value in values.items():
        if value - value != 0:  # NaN or infinity
            raise TrainingError(f"{name} is {value} at {where}; expected a finite number. {remedy}")


def write_history(path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, atomically; ``columns`` are the first row's keys unless given."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(columns or rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(stream.getvalue(), encoding="utf-8")
