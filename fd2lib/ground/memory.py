"""Memory: how much there is, checked before it is asked for, and what stays with the process while a stage runs."""

import contextlib
import ctypes
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fd2lib.ground.errors import SettingError, TrainingError

if TYPE_CHECKING:  # see fd2lib.ground.random
    import torch

_SHORTAGE = ("out of memory", "can't allocate memory", "storage size calculation overflowed")  # in PyTorch's words
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of containers, v2 and v1

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # parameters of mallopt, from glibc's malloc.h
_NEVER, _MMAP_DEFAULT = 2**31 - 1, 65536
_LARGE = 32 * 2**20  # as far as glibc moves its own threshold; one that was set no longer moves


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let freed memory be used again inside the block, where the C library is glibc; elsewhere nothing changes.

    By default glibc gives large tensors back to the system when they are freed and asks for them again, page by page,
    at the next step: a tenth to a quarter of a step on a processor. Results do not depend on it. Afterwards memory
    is as where large tensors have come and gone, and what is free goes back.

    Raises:
        TrainingError: what is done inside asks for more memory than there is.
    """
    if platform.libc_ver()[0] != "glibc":
        with _shortage_told():
            yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        with _shortage_told():
            yield
    finally:
        libc.mallopt(_MMAP_MAX, _MMAP_DEFAULT)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGE)
        libc.malloc_trim(0)


@contextlib.contextmanager
def _shortage_told() -> Iterator[None]:
    """Say in one line that memory ran out, which PyTorch says in many ways."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(words in str(error).lower() for words in _SHORTAGE):
            raise
        asked = re.search(r"allocate (\d+ bytes|[\d.]+ [KMGT]iB)", str(error))
        raise TrainingError(
            f"memory ran out{f' where {asked[1]} were asked for' if asked else ''}. Lower image_size, a batch_size, "
            "pretrain.num_maps or distill.chunk_classes, or take a machine with more; finished work is kept."
        ) from error


def total_memory(device: "torch.device | None" = None) -> int | None:
    """Return the bytes that a CUDA device has, or the machine, or as much of it as its container may take.

    ``None`` where the system does not tell.
    """
    if device is not None and device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    for path in map(Path, _CGROUPS):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            known.append(int(path.read_text(encoding="ascii")))
    return min(known)


def require_memory(needed: int, what: str, remedy: str, device: "torch.device | None" = None) -> None:
    """Refuse what cannot fit before anything of it is made; ``needed`` is the least that it takes, in bytes.

    Raises:
        SettingError: the device, or without one the machine, has less.
    """
    total = total_memory(device)
    if total is not None and needed > total:
        where = "this machine" if device is None or device.type != "cuda" else str(device)
        least, most = needed / 2**30, total / 2**30
        raise SettingError(f"{what} needs at least {least:,.0f} GiB of memory, and {where} has {most:,.0f}; {remedy}.")
