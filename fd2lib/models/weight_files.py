"""Files of weights: what people have, read without running code from it, with wrappers and prefixes undone."""

import argparse
import os
import re
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from fd2lib.ground import DataError, require_file

# Keys that hold the state dict among other things. Copies averaged over training come last: other programs that read
# such a file without being asked for them take the plain weights too.
_PLAIN = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
_AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema")
WRAPPERS = (*_PLAIN, *_AVERAGED)
# What training programs put before a network's own keys.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.", "ema_model.")
# Beginnings of files that are often taken for weights.
MISTAKEN = {
    b"<!doctype": "a web page, as servers send in place of a file; download it again, signed in if need be",
    b"<html": "a web page, as servers send in place of a file; download it again, signed in if need be",
    b"<?xml": "an XML answer of a server in place of the file; download it again",
    b"version https://git-lfs": "a pointer of Git LFS to the file; fetch the file itself with `git lfs pull`",
}
REMEDY = "Save a state dict with torch.save(net.state_dict(), …) or as safetensors."


class StoredWeights(NamedTuple):
    """Named tensors of a file, what was undone to get at them, and which keys were left out."""

    state: dict[str, Tensor]
    undone: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def read_weights(path: str | Path, own: Collection[str] = ()) -> StoredWeights:
    """Read a file of weights: what ``torch.save`` or safetensors wrote, whatever its suffix; no code in it is run.

    A state dict may lie in a dictionary, and its keys may have prefixes; of keys with several, those of the most
    frequent are kept. ``own`` are keys of the network, whose beginnings are no prefixes to undo.

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    content, undone = _content(Path(os.path.expanduser(path))), list[str]()
    for _ in WRAPPERS:  # a dictionary can hold itself
        inside = next((key for key in WRAPPERS if isinstance(content, Mapping) and _holds(content, key)), None)
        if inside is not None:
            content = content[inside]
            undone.append(f"[{inside!r}]")
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(f"{path} does not hold named tensors; expected a state dict such as net.state_dict() gives.")
    state, left_out = {str(key): value for key, value in content.items()}, list[str]()
    while prefix := _prefix(state, own):
        left_out += [key for key in state if not key.startswith(prefix)]
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        undone.append(f"{prefix}*")
    return StoredWeights(state, tuple(undone), tuple(left_out))


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Return the named tensors of a file, see :func:`read_weights`."""
    return read_weights(path).state


def _holds(content: Mapping[Any, Any], key: str) -> bool:
    return isinstance(content.get(key), Mapping)


def _prefix(state: Mapping[str, Tensor], own: Collection[str]) -> str:
    """The prefix that at least half of the keys have, empty where none has; the network's own names are none."""
    for prefix in PREFIXES:
        having = sum(key.startswith(prefix) for key in state)
        if 2 * having >= len(state) and not any(key.startswith(prefix) for key in own):
            return prefix
    return ""


def _content(path: Path) -> Any:
    """What a file holds; DataError in one line where it cannot be read."""
    if not os.path.lexists(path):
        raise DataError(f"no weights at {path}; expected a state dict (.pth or .safetensors).")
    try:
        require_file(path)
        with path.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise DataError(
            f"cannot read weights at {path} ({error.strerror}); expected a file that may be read."
        ) from error
    start = head.lstrip().lower()
    if mistaken := next((what for begin, what in MISTAKEN.items() if start.startswith(begin)), None):
        raise DataError(f"{path} holds no weights: it is {mistaken}.")
    if not head:
        raise DataError(f"{path} is empty; expected a state dict. Copy or download it again.")
    try:
        if path.suffix == ".safetensors" or head[8:9] == b"{":  # its header is JSON, behind eight bytes for its length
            return load_file(path)
        # Training scripts of torchvision store their options beside the weights: a bare holder of values.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings(action="ignore"):
            return torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # each format raises its own kinds
        raise DataError(f"{path} {_trouble(str(error), head[:1] == b'P')}") from error


def _trouble(text: str, zipped: bool) -> str:
    """Say in one line why PyTorch, whose files are zips, or safetensors could not read one."""
    if found := re.search(r"GLOBAL (\S+)", text):
        return f"holds Python objects ({found[1]}), which can run code when read, so it is refused. {REMEDY}"
    if "TorchScript" in text:
        return f"is a TorchScript program, which is code, so it is refused. {REMEDY}"
    if (zipped and "WeightsUnpickler" not in text) or "header" in text:
        return "is cut short or damaged. Copy or download it again."
    reason = (re.search(r"WeightsUnpickler error:\s*(.+)", text) or re.match(r"\s*(.*)", text) or [text, ""])[1]
    return f"is not a readable state dict ({reason.strip() or 'unknown format'}). {REMEDY}"
