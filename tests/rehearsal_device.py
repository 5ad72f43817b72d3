"""A second device to rehearse on: it finds what would go wrong or wait on a GPU, and says nothing of how fast that is.

Its tensors say that they lie on the device ``rehearsal`` and compute on the CPU. As on a GPU they do not mix with
tensors of the CPU, except numbers (no dimensions). Whatever makes the host wait there is recorded with the line of
fd2lib that it comes from: reads (``.item()``, ``.cpu()``, ``torch.equal``, shapes that depend on values) and copies to
the device. The device is PyTorch's PrivateUse1 backend, whose parts may be written in Python
(:mod:`torch.utils.backend_registration`).
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

import fd2lib


class _Module(_DummyBackendModule):
    """What PyTorch asks of ``torch.rehearsal``."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def get_rng_state(self, device: Any) -> Tensor:  # asked for when any test keeps the state of random numbers
        return torch.empty(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: Any) -> None:
        """Nothing is drawn on the device."""


_setup_privateuseone_for_python_backend("rehearsal", _Module())
DEVICE = torch.device("rehearsal:0")
_SOURCES = str(Path(fd2lib.__file__).parent)
_WAITING = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_aten = torch.ops.aten
_SEVERAL = (list, tuple)  # a union is made anew wherever it stands, and there are many operations
_MASKED = {_aten.index, _aten.index_put, _aten.index_put_}  # by masks, which become positions
_TRANSFERS = {_aten._to_copy.default, _aten.copy_.default}


class RehearsalTensor(Tensor):
    """A tensor on the device: sizes and strides of a tensor on the CPU, which it hides."""

    hidden: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # results keep the types they are given below

    @staticmethod
    def __new__(cls, hidden: Tensor) -> Self:
        return Tensor._make_wrapper_subclass(
            cls,
            hidden.size(),
            strides=hidden.stride(),
            storage_offset=hidden.storage_offset(),
            dtype=hidden.dtype,
            device=DEVICE,
        )

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden

    def __tensor_flatten__(self) -> tuple[list[str], None]:  # with the next: modules that move swap their parameters
        return ["hidden"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: Any) -> "RehearsalTensor":
        return RehearsalTensor(inner["hidden"])

    def tolist(self) -> Any:  # refused for subclasses in general
        return self.cpu().tolist()

    def __repr__(self) -> str:
        return f"RehearsalTensor({self.hidden})"

    def __reduce_ex__(self, protocol: Any) -> Any:  # saved as checkpoints are loaded: on the CPU
        return self.detach().cpu().__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on the rehearsal device, outside of a rehearsal.")


class Rehearsal(TorchDispatchMode):
    """While the block runs the device is there, and what makes the host wait is recorded.

    Without ``float64`` it refuses that type, as MPS does.

    Attributes:
        reads, copies: how often, by line of fd2lib.
        copied_bytes: of all copies to the device.
    """

    def __init__(self, float64: bool = True) -> None:
        super().__init__()
        self.float64 = float64
        self.reads, self.copies, self.copied_bytes = Counter[str](), Counter[str](), 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and skipping takes its time at each operation

    def __enter__(self) -> Self:
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=…) copies where it can be seen
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        torch._C._set_only_lift_cpu_tensors(False)
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        there, here = dict[int, Tensor](), list[Tensor]()

        def reveal(value: Tensor) -> Tensor:
            if isinstance(value, RehearsalTensor):
                there[id(value.hidden)] = value
                return value.hidden
            here.append(value)
            return value

        def hide(value: Tensor) -> Tensor:
            if not self.float64 and value.dtype == torch.float64:
                raise TypeError(f"{func}: the device has no float64, at {_place()}.")
            # What an operation changed in place is the very tensor that it was given.
            return there[id(value)] if id(value) in there else RehearsalTensor(value)

        shown, named = _each(reveal, args), {name: _each(reveal, value) for name, value in (kwargs or {}).items()}
        asked = torch.device(named["device"]).type if named.get("device") is not None else None
        if not there and asked != DEVICE.type:
            return func(*args, **named)
        stays = asked != "cpu"
        if func in _TRANSFERS:
            stays = stays and (asked is not None or isinstance(args[0], RehearsalTensor))
            self._note_transfer(args[func is _aten.copy_.default], stays)
        elif any(value.ndim for value in here):
            raise RuntimeError(f"{func}: expected all tensors on one device, found {DEVICE} and cpu, at {_place()}.")
        elif there and _depends_on_values(func, args):
            self.reads[_place()] += 1
        made = func(*shown, **named | ({"device": "cpu"} if asked else {}))
        return _each(hide, made) if stays else made

    def _note_transfer(self, source: Tensor, stays: bool) -> None:
        from_there = isinstance(source, RehearsalTensor)
        if from_there and not stays:
            self.reads[_place()] += 1
        elif stays and not from_there:
            self.copies[_place()] += 1
            self.copied_bytes += source.nbytes


def _each(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Change every tensor in what an operation takes or gives."""
    if isinstance(value, Tensor):
        return change(value)
    return type(value)([_each(change, part) for part in value]) if isinstance(value, _SEVERAL) else value


def _depends_on_values(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether the host must know the values of tensors to go on: for a number, or for a shape."""
    if func.overloadpacket in _MASKED:
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    return not _WAITING.isdisjoint(func.tags)


def _place() -> str:
    """File, line and function of fd2lib that an operation comes from."""
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.startswith(_SOURCES):
        frame = frame.f_back
    if frame is None:
        return "elsewhere"
    name = frame.f_code.co_filename.removeprefix(_SOURCES).lstrip("/")
    return f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
