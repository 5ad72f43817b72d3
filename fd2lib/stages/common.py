"""What the four stages share: their course, devices, precision, epochs, history files."""

import contextlib
import csv
import io
import itertools
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from fd2lib.data import Dataset
from fd2lib.ground import SettingError, StageSettings, TrainingError, atomic_path, kept_memory
from fd2lib.record import RunFolder, StageInputs, content_fingerprint
from fd2lib.views import per_channel


@dataclass(frozen=True)
class DatasetInputs:
    """Inputs of a stage that reads an image set."""

    dataset: Dataset

    @property
    def label(self) -> str:
        """Short name for folders."""
        return f"{self.dataset.name}-{self.dataset.image_size}px"

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the images."""
        return {"dataset": self.dataset.fingerprint}


def teacher_fingerprints(folders: Sequence[Path]) -> dict[str, str]:
    """Return the fingerprints of teachers' files, in turn."""
    return {f"teacher_{i}": content_fingerprint(folder, "pretrain") for i, folder in enumerate(folders)}


@dataclass(frozen=True)
class StageResult:
    """What every stage returns: its folder, wall time in seconds, and whether it was there already."""

    folder: Path
    seconds: float
    reused: bool


Result = TypeVar("Result", bound=StageResult)
Made = tuple[dict[str, Any], list[str]]  # a stage's result, and the files that its fingerprint covers


def run_stage(
    kind: type[Result],
    settings: StageSettings,
    inputs: StageInputs,
    out_dir: str | Path,
    device: str | torch.device,
    make: Callable[[RunFolder, torch.device], Made],
) -> Result:
    """Make what a stage makes, or load it when ``out_dir`` holds it, under the settings' threads."""
    device = resolve_device(device)
    run = RunFolder(out_dir, settings.stage, settings, inputs.fingerprints())
    with run.session() as manifest, deterministic(settings.threads), kept_memory():
        reused = manifest is not None
        if manifest is None:
            manifest = run.finish(*make(run, device), device)
        return kind(folder=run.folder, seconds=manifest["seconds"], reused=reused, **manifest["result"])


def run_epochs(
    run: RunFolder,
    epochs: int,
    parts: Mapping[str, nn.Module | torch.optim.Optimizer],
    one_epoch: Callable[[int], dict[str, Any]],
    shown: Sequence[str],
    progress: bool,
) -> list[dict[str, Any]]:
    """Train epoch by epoch from the last checkpoint, which holds ``parts``; write and return the history.

    ``one_epoch`` gives a row of it, all finite, whose columns ``shown`` stand beside the bar.
    """
    history: list[dict[str, Any]] = []
    if state := run.load_checkpoint():  # on the CPU; loading a state moves it to where the part is
        for name, part in parts.items():
            part.load_state_dict(state[name])
        history = state["history"]
    with tqdm(total=epochs, initial=len(history), desc=run.stage, unit="epoch", disable=not progress) as bar:
        for epoch in range(len(history), epochs):
            row = one_epoch(epoch)
            remedy = f"Lower {run.stage}.learning_rate; the epoch before is kept as a checkpoint."
            require_finite(row, f"epoch {epoch} of {run.folder}", remedy)
            history.append(row)
            run.save_checkpoint({name: part.state_dict() for name, part in parts.items()} | {"history": history})
            bar.set_postfix({name: row[name] for name in shown})
            bar.update()
    write_history(run.folder / "history.csv", history)
    return history


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device for ``cpu``, ``cuda``, ``cuda:1`` …, ``mps``, or ``auto``: CUDA or else MPS where there is one.

    Raises:
        SettingError: no such device here.
    """
    if device == "auto":
        return torch.device(next((kind for kind in ("cuda", "mps") if _count(kind)), "cpu"))
    try:
        chosen = torch.device(device)
        count = _count(chosen.type)
    except RuntimeError as error:
        raise SettingError(f"device is {str(device)!r}; expected auto, cpu, cuda, cuda:N or mps.") from error
    if (chosen.index or 0) >= count:
        seen = f"{count} of that kind, numbered from 0" if count else "none of that kind"
        raise SettingError(f"device is {str(device)!r}, but PyTorch sees {seen}; use another, cpu or auto.")
    return chosen


def _count(kind: str) -> int:
    """How many devices of a type there are; RuntimeError where the type has no devices to compute on."""
    module = torch.get_device_module(kind)
    return int(module.device_count()) if module.is_available() else 0


@contextlib.contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Use deterministic kernels inside the block, and as many CPU threads as the stage's settings say.

    So a resumed run is bit-identical, whatever the process was started with: sums that are split among another number
    of threads round differently.
    """
    memory: Any = torch.utils.deterministic  # its types do not know its one attribute
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, fill = torch.backends.cudnn.benchmark, memory.fill_uninitialized_memory
    threads_before = torch.get_num_threads()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first call
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    memory.fill_uninitialized_memory = False  # a debugging aid that costs a sixth of a CPU step
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
        memory.fill_uninitialized_memory = fill


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the autocast context for ``fp32`` (off), ``bf16``, or ``mixed`` (bf16 where the device is fast at it)."""
    enabled = precision == "bf16" or (precision == "mixed" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


Draws = TypeVar("Draws", bound=tuple[Any, ...])  # a NamedTuple


def sent_ahead(draws: Iterable[Draws], device: torch.device, steps: int = 64) -> Iterator[Draws]:
    """Yield what chance decides in each step, its tensors on the device, sent for ``steps`` steps at once.

    Drawn is on the CPU, and a copy for each step would make the host wait for the device in each.
    """
    if device.type == "cpu":
        yield from draws
        return
    rest = iter(draws)
    while block := list(itertools.islice(rest, steps)):
        columns = [_together(column, device) for column in zip(*block, strict=True)]
        yield from (type(block[0])(*row) for row in zip(*columns, strict=True))


def _together(values: Sequence[Any], device: torch.device) -> Sequence[Any]:
    """Tensors of one type, moved by one copy; what is no tensor stays."""
    if not isinstance(values[0], Tensor):
        return values
    flat = torch.cat([value.flatten() for value in values])
    flat = flat.pin_memory() if device.type == "cuda" else flat  # only then the host need not wait
    parts = torch.split(flat.to(device, non_blocking=True), [value.numel() for value in values])
    return [part.view(value.shape) for part, value in zip(parts, values, strict=True)]


Call = TypeVar("Call", bound=Callable[..., Any])


def compiled(call: Call, how: str, device: torch.device) -> Call:
    """Return what runs a network as a stage's ``compiled`` says: as it is, or compiled at its first call.

    Results differ in their last digits. Batches of another size are compiled again.

    Raises:
        SettingError: there is no C++ compiler, which code for a processor needs, or no CUDA for its graphs.
    """
    if how == "off":
        return call
    if device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise SettingError(f"compiled is {how!r}, but there is no C++ compiler; install g++, or set it to off.")
    if how == "graphs" and device.type != "cuda":
        raise SettingError(f"compiled is 'graphs' on {device.type}; expected a CUDA device. Set it to kernels or off.")
    made: Any = torch.compile(call, dynamic=False, mode="reduce-overhead" if how == "graphs" else None)
    return cast(Call, made)


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels to float in [0, 1], channels last, which is what convolutions are fastest on."""
    return images.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)


def normalize_pixels(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images in [0, 1] to what a network expects: ``(x − mean) / std`` per channel."""
    shift, scale = (per_channel(tuple(value), images.device, torch.float32) for value in (mean, std))
    return (images - shift) / scale


def to_pixels(images: Tensor) -> Tensor:
    """Float images in [0, 1] to rounded uint8."""
    return images.mul(255).round().clamp(0, 255).to(torch.uint8)


def require_finite(values: Mapping[str, float | str], where: str, remedy: str) -> None:
    """Raise TrainingError when a recorded loss is not a number; blank cells are passed over."""
    for name, value in values.items():
        if not isinstance(value, str) and not math.isfinite(value):
            raise TrainingError(f"{name} is {value} at {where}; expected a finite number. {remedy}")


def write_history(path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, atomically; ``columns`` are the first row's keys unless given."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(columns or rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(stream.getvalue(), encoding="utf-8")
