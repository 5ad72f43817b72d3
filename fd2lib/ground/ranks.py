"""Processes that work on one run together, as torchrun starts them; without it there is one and nothing changes.

Each loads the inputs, does its share and writes the files of its share. What there is one of, such as a lock, a
manifest, a checkpoint or a row, is the first's. A process that fails or is killed ends the others.
"""

import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from fd2lib.ground.errors import Fd2Error, ProcessError, SettingError

if TYPE_CHECKING:  # functions import what only several processes need: one should not wait for it
    from torch import Tensor

# How long a process waits for one that neither works nor ends; one that ends is noticed at once.
IN_A_STEP = timedelta(minutes=30)
FOR_A_SHARE = timedelta(days=7)  # shares of work differ: one chunk of images may take hours more

Item = TypeVar("Item")
Value = TypeVar("Value")
logger = logging.getLogger(__name__)


class _Joined:
    """The processes that this one has joined: PyTorch has one default group in a process, and so has this."""

    shares: ClassVar[Any] = None  # the group that waits for whole shares; None: this process is alone
    size: ClassVar[int] = 1
    rank: ClassVar[int] = 0


def world() -> int:
    """Return how many processes work together, 1 without :func:`together`."""
    return 1 if _Joined.shares is None else _Joined.size


def rank() -> int:
    """Return which of them this is, from 0."""
    return 0 if _Joined.shares is None else _Joined.rank


def is_first() -> bool:
    """Return whether this process writes what there is one of."""
    return rank() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun started while the block runs; without torchrun do nothing.

    Of several processes that fail, one goes on with its error; the others leave with status 1 and without a word. All
    but the first log errors only.

    Raises:
        SettingError: the environment says that there are several processes, and not how to reach them.
        ProcessError: another process ended or hangs.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1" or _Joined.shares is not None:
        yield
        return
    import torch.distributed as dist

    store = _join()
    before, log = signal.signal(signal.SIGTERM, _stop), logging.getLogger("fd2lib")
    level = log.level
    log.setLevel(level if is_first() else logging.ERROR)  # the first says what all would
    try:
        yield
        _all_here()  # one that left early would look like one that failed
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's, which comes as soon as one process has failed
        if not _first_to_fail(store):
            raise SystemExit(1) from error
        if isinstance(error, RuntimeError) and (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise ProcessError(
                f"another of the {world()} processes ended without a word (killed, or out of memory) or hangs. What is "
                "finished is kept; run the same command again to continue."
            ) from error
        if isinstance(error, Fd2Error) and not is_first():
            raise type(error)(f"in process {rank()} of {world()}, counted from 0: {error}") from error
        raise
    finally:
        log.setLevel(level)
        _Joined.shares = None
        dist.destroy_process_group()
        signal.signal(signal.SIGTERM, before)


def _join() -> Any:
    import torch.distributed as dist

    try:
        store, own, size = next(dist.rendezvous("env://", timeout=IN_A_STEP))
    except (ValueError, RuntimeError) as error:
        raise SettingError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the processes cannot meet ({error}). Start them with "
            "torchrun, or unset WORLD_SIZE."
        ) from error
    # torchrun keeps its store when it restarts processes, and with it the addresses of those that are gone.
    store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group("gloo", store=store, rank=own, world_size=size, timeout=IN_A_STEP)
    _Joined.shares, _Joined.size, _Joined.rank = dist.new_group(backend="gloo", timeout=FOR_A_SHARE), size, own
    return store


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt("told to stop: another process failed, or the job was cancelled")


def _first_to_fail(store: Any) -> bool:
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:  # the process that kept the store is gone
        return True


def _all_here() -> None:
    import torch.distributed as dist

    dist.barrier(_Joined.shares)


def from_first(make: Callable[[], Value]) -> Value:
    """Return what the first process makes, in every process, once all have come here.

    Raises:
        Fd2Error: in every process, the one that the first raised.
    """
    if world() == 1:
        return make()
    import torch.distributed as dist

    _all_here()
    made: list[Any] = [None, None]
    if is_first():
        try:
            made[0] = make()
        except Fd2Error as error:
            made[1] = error
    dist.broadcast_object_list(made, group=_Joined.shares)
    if made[1] is not None:
        raise made[1]
    return made[0]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this process be the only one while the block runs, as others wait for what it makes."""
    kept, _Joined.shares = _Joined.shares, None
    try:
        yield
    finally:
        _Joined.shares = kept


def first_alone(make: Callable[[], Value]) -> Value:
    """Return what every process makes for itself, the first before the others, who then find its files."""
    if world() == 1:
        return make()
    if not is_first():
        _all_here()
        return make()
    made = make()
    _all_here()
    return made


def from_all(own: Value) -> list[Value]:
    """Return what each process has, in their order, in every process; tensors are on the CPU."""
    if world() == 1:
        return [own]
    import torch.distributed as dist

    every: list[Any] = [None] * world()
    dist.all_gather_object(every, own, group=_Joined.shares)
    return every


def mapped(make: Callable[[Item], "Tensor"], items: Iterable[Item]) -> "list[Tensor]":
    """Return ``make(item)`` of every item in every process, each made by one of them; then on the CPU."""
    if world() == 1:
        return [make(item) for item in items]
    own = [make(item).cpu() for place, item in enumerate(items) if place % world() == rank()]
    rounds = itertools.zip_longest(*from_all(own))
    return [made for one_round in rounds for made in one_round if made is not None]


def share(items: Sequence[Item], unit: Callable[[Item], Hashable] = lambda item: item) -> list[Item]:
    """Return this process's share of items, which must be the same everywhere, in their order.

    Items of one ``unit`` stay in one process; units are dealt out in turn.
    """
    place = {name: number for number, name in enumerate(dict.fromkeys(map(unit, items)))}
    if 0 < len(place) < world():
        logger.info("work for %d of %d processes; the others wait", len(place), world())
    return [item for item in items if place[unit(item)] % world() == rank()]
