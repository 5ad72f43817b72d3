"""Parameters of notebooks: the defaults that a cell says, and what papermill injected beside them.

papermill only warns about a parameter that a notebook does not have and runs on with the default. It puts its cell
behind the notebook's own, so that the first import of the library, in the cell after, can look at both.
"""

import ast
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from fd2lib.ground.errors import SettingError, shortened, unknown
from fd2lib.ground.typed import fitting_option

_INJECTED = "# Parameters\n"  # how papermill's cell begins
_PLAIN = (str, int, float, bool)


def literal_defaults(code: str) -> dict[str, Any]:
    """Return the values that a cell assigns to names, in their order.

    Raises:
        SettingError: it is no Python, or assigns something else than numbers and texts.
    """
    found = {}
    try:
        for names, value in _assigned(code):
            (name,) = names
            found[name] = ast.literal_eval(value)
    except SyntaxError as error:
        raise SettingError(f"line {error.lineno} of the parameters is no Python; expected name = value.") from error
    except ValueError as error:
        told = shortened(" = ".join([*names, ast.unparse(value)]))
        raise SettingError(f"parameter {told} is not a literal; expected number or text.") from error
    return found


def settle_injected() -> None:
    """In a notebook, refuse parameters that were injected and are none of its own; bring the others to their types.

    Raises:
        SettingError: naming the nearest parameter, or the type that is expected.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cells: Sequence[str] = shell.user_ns.get("In", ()) if shell else ()
    injected = next((place for place, cell in enumerate(cells) if cell.startswith(_INJECTED)), None)
    if shell is None or injected is None:
        return
    own: dict[str, Any] = {}
    for cell in cells[:injected]:
        own |= _known(cell)
    for name in _known(cells[injected]):
        if name not in own:
            nearest = unknown("parameter of this notebook", name, own) if own else "this notebook has no parameters."
            raise SettingError(f"{name} was injected: {nearest}")
        if isinstance(own[name], _PLAIN):
            shell.user_ns[name] = fitting_option(f"parameter {name}", shell.user_ns[name], own[name])


def _assigned(code: str) -> Iterator[tuple[list[str], ast.expr]]:
    """What a cell assigns to names, and to which."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield [ast.unparse(target) for target in targets], node.value


def _known(cell: str) -> dict[str, Any]:
    """The names that a cell assigns, with their values where these are literals."""
    found: dict[str, Any] = {}
    with contextlib.suppress(SyntaxError):  # commands of IPython
        for names, value in _assigned(cell):
            found |= dict.fromkeys(names)
            with contextlib.suppress(ValueError):
                found |= dict.fromkeys(names, ast.literal_eval(value))
    return found
