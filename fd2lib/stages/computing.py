"""How all four stages compute: device, determinism, precision, compiled networks, and the form of images."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from fd2lib.ground import SettingError, rank, world
from fd2lib.views import per_channel


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device for ``cpu``, ``cuda``, ``cuda:1`` …, ``mps``, or ``auto``: CUDA or else MPS where there is one.

    Of several processes on a machine, each has a CUDA device of its own unless one is named.

    Raises:
        SettingError: no such device here.
    """
    device = device.strip().lower() if isinstance(device, str) else device
    if device == "auto":
        device = next((kind for kind in ("cuda", "mps") if _count(kind)), "cpu")
    try:
        chosen = torch.device(device)
        count = _count(chosen.type)
    except RuntimeError as error:
        raise SettingError(f"device is {str(device)!r}; expected auto, cpu, cuda, cuda:N or mps.") from error
    if (chosen.index or 0) >= count:
        seen = f"{count} of that kind, numbered from 0" if count else "none of that kind"
        raise SettingError(f"device is {str(device)!r}, but PyTorch sees {seen}; use another, cpu or auto.")
    return _own_cuda_device(chosen) if chosen.type == "cuda" and world() > 1 else chosen


def _own_cuda_device(device: torch.device) -> torch.device:
    place, count = int(os.environ.get("LOCAL_RANK", rank())), torch.cuda.device_count()
    if device.index is None and place >= count:
        raise SettingError(
            f"process {place} of this machine has no CUDA device of its own: PyTorch sees {count}. Start as many "
            "processes as there are, or name one for all, as cuda:0."
        )
    own = torch.device("cuda", place if device.index is None else device.index)
    torch.cuda.set_device(own)  # or each process would keep memory on the first device as well
    return own


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
