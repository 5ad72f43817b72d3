"""What people type: numbers, lists and names as text, taken as they are meant, and refused in one line where not."""

import contextlib
import numbers
import os
import re
from collections.abc import Collection
from typing import Any

from fd2lib.ground.errors import SettingError, require, shortened

# What a number may be that declares no bounds of its own: seeds are of 64 bits, and a weight of more than this drowns
# every other in single precision.
LARGEST = {int: 2**63 - 1, float: 1e6}
MOST_THREADS = 4096  # PyTorch takes more and ends with the process
MOST = 1_000_000  # of what is counted: images, epochs, classes
LARGEST_IMAGE = 2048  # pixels
_WRITTEN = {
    int: re.compile(r"[+-]?\d+", re.ASCII),
    float: re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE),
}


def fitting_option(name: str, value: Any, default: Any) -> Any:
    """Return what a person gave as the type of an option's default; neighbouring types are taken, as 2 for ``"2"``.

    Raises:
        SettingError: another type, or a number that is not finite or of more than 64 bits.
    """
    kind = type(default)
    if kind is str and isinstance(value, os.PathLike | numbers.Integral) and not isinstance(value, bool):
        value = str(value)
    elif kind in (int, float):
        value = _as_number(value, kind)
    if type(value) is not kind or (kind in (int, float) and not abs(value) <= LARGEST[int]):
        raise SettingError(f"{name} is {shortened(value)}; expected {kind.__name__}, such as its default {default!r}.")
    if kind is str and "\0" in value:
        raise SettingError(f"{name} is {shortened(value)}; expected text without a null character.")
    return value


def _as_number(value: Any, kind: type[int] | type[float]) -> Any:
    """A number, or a text that is one, as a kind of number where nothing is lost by it, else what was given."""
    if isinstance(value, str):  # Python itself reads 1_0 and the digits of other alphabets
        text = value.strip()
        number = kind(text) if _WRITTEN[kind].fullmatch(text) and len(text) <= 1000 else None
        return value if number is None or abs(number) > LARGEST[int] else number
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):  # neither whole nor finite
            number = kind(value)  # type: ignore[call-overload]  # a Real is one that both take
            return number if number == value else value
    return value


def parse_numbers(name: str, text: str | int) -> list[int]:
    """Return whole numbers from a text such as ``"1,3"``; ``name`` is what an error calls the text.

    Raises:
        SettingError: something else stands there, or nothing, or one number twice.
    """
    given = [_as_number(item, int) for item in str(text).split(",")]
    if wrong := [item for item in given if not isinstance(item, int)]:
        seen = f", with {shortened(wrong[0])}" if len(given) > 1 else ""
        raise SettingError(f"{name} is {shortened(text)}{seen}; expected whole numbers separated by commas, as 1,3.")
    if twice := [item for place, item in enumerate(given) if item in given[:place]]:
        raise SettingError(f"{name} is {shortened(text)}, with {twice[0]} twice; expected each number once.")
    return given


def parse_names(what: str, text: str, choices: Collection[str]) -> list[str]:
    """Return names from a text that separates them by commas, each one of the choices; upper case is taken as lower.

    Raises:
        SettingError: an unknown name, one that is there twice, or none.
    """
    names = [name if name in choices else name.lower() for name in split_names(text)]
    if not names:
        raise SettingError(f"{what} are {shortened(text)}; name at least one of: {', '.join(choices)}.")
    for place, name in enumerate(names):
        require(f"name among {what}:", name, choices)
        if name in names[:place]:
            raise SettingError(f"{what} are {shortened(text)}, with {name!r} twice; expected each name once.")
    return names


def split_names(text: str) -> list[str]:
    """Return names from a text that separates them by commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def parse_phases(text: str) -> list[tuple[int, int]]:
    """Return the share of the iterations and the size (pixels) of each phase, of a text such as ``"3@200 4@224"``.

    Raises:
        SettingError: another form, or a share or size out of range.
    """
    pairs = [re.fullmatch(r"(\d{1,7})@(\d{1,7})", item, re.ASCII) for item in text.split()]
    found = [(int(pair[1]), int(pair[2])) for pair in pairs if pair]
    in_range = all(1 <= share <= MOST and 1 <= size <= LARGEST_IMAGE for share, size in found)
    if len(found) < len(pairs) or not in_range or (text and not pairs):
        raise SettingError(
            f"distill.phases is {shortened(text)}; expected share@pixels, both at least 1 and up to {MOST} and "
            f"{LARGEST_IMAGE}, separated by blanks, as in '3@200 4@224'."
        )
    return found
