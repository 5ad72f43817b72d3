"""Drive: experiments, grids, plans, notebooks and the command line. Imports everything, nothing imports it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fd2lib.drive.offered import *  # noqa: F403


def __getattr__(name: str) -> Any:  # at first use: the command line lists commands and options without the library
    if not name.startswith("_"):
        return getattr(import_module("fd2lib.drive.offered"), name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(import_module("fd2lib.drive.offered"))})
