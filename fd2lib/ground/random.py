"""Randomness by address: every draw comes from a generator seeded by where it is used.

Nothing reads or advances PyTorch's global generator, so a stage that resumes at epoch 7 draws
exactly what an uninterrupted one draws there.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes seconds to import, and the command line answers many questions without it
    import torch


def derive_seed(*address: int | str) -> int:
    """Return a 63-bit seed that depends on every part of ``address`` and on their order."""
    digest = hashlib.sha256("\x1f".join(map(str, address)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def make_generator(*address: int | str) -> "torch.Generator":
    """Return a CPU generator for ``address``, such as ``(seed, "relabel", epoch, batch)``.

    The generator lives on the CPU whatever the device, so that CPU and CUDA runs draw the same views.
    """
    import torch

    return torch.Generator().manual_seed(derive_seed(*address))


@contextlib.contextmanager
def seeded_initialisation(*address: int | str) -> Iterator[None]:
    """Seed the global generator inside the block only, for libraries that initialise weights with it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(*address))
        yield
