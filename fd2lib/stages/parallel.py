"""Training one network in several processes: each takes its part of every batch, and sums go between them.

Every process draws for the whole batch and takes its part of the draws; statistics of BatchNorm, prototypes and
gradients are those of all parts. So the result is that of one process up to rounding, whatever their number.
"""

import contextlib
import functools
import socket
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from fd2lib.ground import from_all, rank, world
from fd2lib.ground.ranks import IN_A_STEP
from fd2lib.models import SynchronisedBatchNorm


@dataclass(frozen=True)
class Turn:
    """What one process does of a batch."""

    part: slice  # of the batch, passing through the network together
    own: slice  # of the batch, what this process takes of it
    weight: float  # of the mean over its own; averaged over processes, these are the batch's
    group: Any = None  # the processes that share the part; None: this one has all of it

    def statistics(self) -> contextlib.AbstractContextManager[Any]:
        """Let BatchNorm see the whole part while the block runs."""
        return contextlib.nullcontext() if self.group is None else SynchronisedBatchNorm(self.group)

    def rows(self, own: Tensor) -> Tensor:
        """Return a row for each image of the part from those of this process's own."""
        if self.group is None:
            return own
        whole = own.new_zeros(self.part.stop - self.part.start, *own.shape[1:])
        whole[self.own.start - self.part.start : self.own.stop - self.part.start] = own
        dist.all_reduce(whole, group=self.group)
        return whole


class Crew:
    """The processes that train a network together, each on its own device; one alone does what it always did."""

    def __init__(self, device: torch.device) -> None:
        self.size = world()
        if self.size > 1:
            own_device = len(set(from_all((socket.gethostname(), str(device))))) == self.size
            self._everyone, *self._sides = _groups("nccl" if device.type == "cuda" and own_device else "gloo")

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network so that a backward pass leaves the same gradients, their mean, in all processes.

        To be called for each epoch: PyTorch lays gradients out anew after a first step, which changes the order of
        sums, and a resumed run begins with an epoch.
        """
        if self.size == 1:
            return network
        # A 1 × 1 convolution's gradient may lie in either of two orders in memory, which are one and the same.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        shared = DistributedDataParallel(network, process_group=self._everyone)
        shared.broadcast_buffers = False  # equal as they are; sent anew, they would change between two passes of a step
        return shared

    def turns(self, parts: Sequence[slice]) -> list[Turn]:
        """Return what this process does of a batch whose one or two parts pass through the network by themselves.

        Of two parts, every other process takes the first. What is too small to be shared is done by all that would.
        """
        if self.size == 1:
            return [Turn(part, part, 1 / len(parts)) for part in parts]
        side = rank() % len(parts)
        part, members = parts[side], range(side, self.size, len(parts))
        count, sharing, place = part.stop - part.start, len(members), members.index(rank())
        if sharing == 1 or count < sharing:
            return [Turn(part, part, self.size / len(parts) / sharing)]
        own = slice(part.start + count * place // sharing, part.start + count * (place + 1) // sharing)
        weight = (own.stop - own.start) / count * self.size / len(parts)
        return [Turn(part, own, weight, self._everyone if len(parts) == 1 else self._sides[side])]

    @contextlib.contextmanager
    def step(self, network: nn.Module, parts: Sequence[slice]) -> Iterator[list[Turn]]:
        """Yield the turns of a batch; then BatchNorm's running statistics have seen both parts, one after the other."""
        if self.size == 1 or len(parts) == 1:
            yield self.turns(parts)
            return
        layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
        running = [cast(Tensor, value) for layer in layers for value in (layer.running_mean, layer.running_var)]
        before = [value.clone() for value in running]
        yield self.turns(parts)
        side = rank() % 2
        sharing = len(range(side, self.size, 2))
        kept = [1 - cast(float, layer.momentum) for layer in layers for _ in range(2)]  # (1 − m)·(first's) + m·second
        shares = [
            (share * value if side == 0 else value - share * old).flatten() / sharing
            for share, value, old in zip(kept, running, before, strict=True)
        ]
        summed = torch.cat(shares) if shares else torch.zeros(1)
        dist.all_reduce(summed, group=self._everyone)
        for value, both in zip(running, torch.split(summed, [value.numel() for value in running]), strict=True):
            value.copy_(both)
        for layer in layers:
            cast(Tensor, layer.num_batches_tracked).add_(1)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean over processes."""
        if self.size == 1:
            return value
        value = value.clone()
        dist.all_reduce(value, group=self._everyone)
        return value / self.size


def _groups(backend: str) -> list[Any]:
    """All processes, and every other one from the first and from the second on."""
    return _groups_of(dist.group.WORLD, backend)


@functools.lru_cache(maxsize=4)
def _groups_of(joined: Any, backend: str) -> list[Any]:
    del joined  # who has joined anew needs new ones
    everyone = range(world())
    ranks = (everyone, everyone[::2], everyone[1::2])
    return [dist.new_group(list(some), timeout=IN_A_STEP, backend=backend) for some in ranks]
