"""The errors fd2lib raises on purpose, and the words they share.

Every message says what is wrong, the value seen, what was expected and what to do about it.
"""

import difflib
import math
import unicodedata
from collections.abc import Collection, Iterable
from typing import ClassVar

_MOST_NAMES = 60  # that a message lists

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's control characters, halves of characters, line separators


def one_line(text: str) -> str:
    """Return a text that breaks no line, table or page: control characters and line breaks become blanks.

    Halves of characters, which Python keeps for bytes of a file's name that are not UTF-8, become replacement marks.
    """
    shown = {"Cs": "\N{REPLACEMENT CHARACTER}"} | dict.fromkeys(("Cc", "Zl", "Zp"), " ")
    return "".join(shown.get(unicodedata.category(letter), letter) for letter in text)


class Fd2Error(Exception):
    """Base of every error that fd2lib raises on purpose; its message is one line, whatever names are in it."""

    exit_status: ClassVar[int] = 1  # of a command that ends with it; 2: what it was given is wrong

    def __str__(self) -> str:
        return one_line(super().__str__())


class SettingError(Fd2Error, ValueError):
    """A setting, recipe, parameter or name that does not exist or is out of range."""

    exit_status = 2


class DataError(Fd2Error):
    """Images that are missing, unreadable, too few or not laid out as the reader expects."""

    exit_status = 2


class ShapeError(Fd2Error, ValueError):
    """A tensor whose shape does not fit the others."""


class ArtefactError(Fd2Error):
    """A run folder that does not match what is asked of it, or could not be written."""


class TrainingError(Fd2Error):
    """Training went wrong: a loss that is no longer finite."""


class ProcessError(Fd2Error):
    """One of several processes that work together ended or hangs."""


def shortened(value: object) -> str:
    """Return how a value is written in a message, cut where it is long."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return f"a whole number of more than {int(math.log10(abs(value)))} digits"  # longer ones are not even written
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def unknown(kind: str, value: object, choices: Iterable[object]) -> str:
    """Return the sentence for an unknown name of a kind, such as ``"method"``: its nearest choice, and all choices."""
    names = list(dict.fromkeys(map(str, choices)))
    folded = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(str(value)[:200].casefold(), folded, n=1, cutoff=0.5)
    hint = f" Did you mean {folded[close[0]]!r}?" if close else ""
    told = ", ".join(names[:_MOST_NAMES]) + f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
    return f"unknown {kind} {shortened(value)}.{hint} Choose one of: {told}."


def require(kind: str, value: object, choices: Collection[object]) -> None:
    """Refuse a name that is none of the choices, in the words of :func:`unknown`.

    Raises:
        SettingError: it is none of them.
    """
    if value not in choices:
        raise SettingError(unknown(kind, value, choices))
