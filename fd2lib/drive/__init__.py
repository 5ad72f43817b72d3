"""Drive: experiments, grids, plans, notebooks and the command line. Imports everything, nothing imports it.

What it offers is imported at first use, so that the command line lists commands and options without the library.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from fd2lib.drive.offered import *  # noqa: F403


def __getattr__(name: str) -> typing.Any:
    if not name.startswith("_"):
        return getattr(importlib.import_module("fd2lib.drive.offered"), name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(importlib.import_module("fd2lib.drive.offered"))})
