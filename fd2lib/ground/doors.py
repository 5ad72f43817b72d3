"""Doors of rooms: what a room offers is imported when it is first asked for.

PyTorch and timm take seconds to import; who reads rows or lists recipes waits for neither.
"""

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


class _Door(ModuleType):
    """A room that imports a name's module at the name's first use."""

    _offered: dict[str, tuple[str, str]]

    def __getattr__(self, name: str) -> Any:
        if name not in self._offered:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        module, own = self._offered[name]
        value = getattr(importlib.import_module(module), own)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Python sets each module that it has imported in its package; a function of that name is what is offered.
        if not (isinstance(value, ModuleType) and name in self._offered):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._offered})


def open_at_first_use(room: str) -> None:
    """Make a room offer what it imports ``if typing.TYPE_CHECKING``; type checkers read the same lines.

    Args:
        room: the ``__name__`` of a package, which calls this.
    """
    package = sys.modules[room]
    source = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    blocks = [node.body for node in source.body if isinstance(node, ast.If)]
    found = [node for block in blocks for node in block if isinstance(node, ast.ImportFrom)]
    offered = {one.asname or one.name: (str(node.module), one.name) for node in found for one in node.names}
    package.__dict__.update(_offered=offered, __all__=[*offered])  # for ``from room import *``
    package.__class__ = _Door
