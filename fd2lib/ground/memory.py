"""Memory that stays with the process while a stage runs."""

import contextlib
import ctypes
import platform
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # parameters of mallopt, from glibc's malloc.h
_NEVER, _MMAP_DEFAULT = 2**31 - 1, 65536
_LARGE = 32 * 2**20  # as far as glibc moves its own threshold; one that was set no longer moves


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let freed memory be used again inside the block, where the C library is glibc; elsewhere nothing changes.

    By default glibc gives large tensors back to the system when they are freed and asks for them again, page by page,
    at the next step: a tenth to a quarter of a step on a processor. Results do not depend on it. Afterwards memory
    is as where large tensors have come and gone, and what is free goes back.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _MMAP_DEFAULT)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGE)
        libc.malloc_trim(0)
