"""Running a notebook with parameters, strictly.

papermill itself only warns about a parameter that a notebook does not have, and then runs with the default. Here an
unknown name or a value of the wrong type is refused before anything runs.
"""

import contextlib
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from fd2lib.ground import Fd2Error, SettingError, fitting_option, require, unknown
from fd2lib.ground.abandoned import own_name, remove_abandoned
from fd2lib.ground.parameters import literal_defaults
from fd2lib.ground.paths import require_output

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_THIS_PYTHON = "fd2lib"  # name of a kernel that is made for each call: one called python3 may be another Python's
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(Fd2Error):
    """A notebook that cannot be read, or that failed while running."""


def notebook_parameters(source: str | Path) -> dict[str, Any]:
    """Return the defaults of a notebook's parameters, in their order; empty if no cell is tagged ``parameters``.

    papermill's own inspection passes over a default with "=" in it, as overrides have.

    Raises:
        SettingError: the notebook does not exist.
        NotebookError: it is not a notebook, or its parameters are not plain literals.
    """
    source = Path(source)
    cells = [cell.source for cell in _read(source).cells if "parameters" in cell.metadata.get("tags", [])]
    try:
        return literal_defaults("\n".join(cells))
    except SettingError as error:
        raise NotebookError(f"{source.name}: {error}") from error


def parse_parameters(source: str | Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``given`` with each value as the type of its parameter's default; text is read, as from a command line.

    Raises:
        SettingError: an unknown notebook or parameter, or a value that does not fit its parameter.
    """
    known, called = notebook_parameters(source), Path(source).name
    values = {}
    for name, value in given.items():
        if not known:
            raise SettingError(f"{called} has no parameters, so {name!r} cannot be given.")
        require(f"parameter of {called}", name, known)
        if isinstance(known[name], bool) and isinstance(value, str):  # words of command lines
            value = {"true": True, "false": False}.get(value.strip().lower(), value)
        values[name] = fitting_option(f"parameter {name}", value, known[name])
    return values


def run_notebook(
    source: str | Path,
    target: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    working_directory: str | Path | None = None,
) -> Path:
    """Execute ``source`` with ``parameters`` and write the executed notebook to ``target``.

    ``target`` appears only when every cell has run; a folder that does not exist is made. A notebook that fails leaves
    what it reached in ``<target>.failed.ipynb`` beside it, and an earlier ``target`` stays as it was.

    Args:
        source: the notebook. It runs with this Python, whatever kernel it names.
        target: where the executed notebook goes, which is returned; never ``source`` itself.
        parameters: values by name, as :func:`parse_parameters` takes them.
        working_directory: where relative paths in the notebook start; by default the notebook's own folder.

    Raises:
        SettingError: an unknown notebook or parameter, or a value that does not fit its parameter.
        NotebookError: a cell failed, or the kernel died.
    """
    source, target = Path(source), Path(target)
    notebook = _read(source)
    values = parse_parameters(source, parameters or {})
    if target.resolve() == source.resolve():
        raise SettingError(f"the executed notebook would overwrite its source {source}; give another target.")
    notebook.metadata["kernelspec"] = dict(_KERNEL)
    notebook.metadata.setdefault("language_info", {"name": "python"})
    folder = Path(working_directory) if working_directory else source.parent
    if not folder.is_dir():
        raise SettingError(f"working directory {folder} does not exist; expected a folder.")
    require_output(target)

    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target)
    partial = own_name(target)
    template = str(partial.resolve()).replace("{", "{{").replace("}", "}}")  # papermill formats what stands in braces
    try:
        with _kernel_environment():
            papermill.execute_notebook(
                notebook,
                template,
                parameters=values,
                kernel_name=_THIS_PYTHON,
                cwd=str(folder.resolve()),
                progress_bar=False,
            )
    except BaseException as error:
        kept = _keep(partial, target)
        if isinstance(error, PapermillExecutionError | DeadKernelError | CellTimeoutError):
            raise NotebookError(f"{source.name} failed{_told(error)}. {kept}") from error
        raise
    os.replace(partial, target)
    return target


def _read(source: Path) -> nbformat.NotebookNode:
    if not source.is_file():
        nearby = sorted(path.name for path in source.parent.glob("*.ipynb"))
        hint = unknown("notebook", source.name, nearby) if nearby else "expected an .ipynb file there."
        raise SettingError(f"no notebook {source}: {hint}")
    try:
        return nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]  # nbformat gives no types
    except Exception as error:  # JSON of any other form raises its own kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise NotebookError(f"{source} is not a notebook ({reason}); expected a Jupyter .ipynb file.") from error


@contextlib.contextmanager
def _kernel_environment() -> Iterator[None]:
    """What the kernel inherits: inline figures (MPLBACKEND would lose them) and no progress bars in the page.

    The kernel is this Python, whatever kernels lie on the paths of Jupyter.
    """
    before = {name: os.environ.get(name) for name in ("MPLBACKEND", "TQDM_DISABLE", "JUPYTER_PATH")}
    chatter = logging.getLogger("papermill")
    level = chatter.level
    os.environ.pop("MPLBACKEND", None)
    os.environ["TQDM_DISABLE"] = "1"
    chatter.setLevel(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory(prefix="fd2lib-kernel-") as folder:
            own = Path(folder, "kernels", _THIS_PYTHON, "kernel.json")
            own.parent.mkdir(parents=True)
            words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            words += ["--log-level=CRITICAL"]  # one that is stopped would log, with its traceback, that nobody listens
            own.write_text(json.dumps({"argv": words, "display_name": "Python 3", "language": "python"}), "utf-8")
            os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, before["JUPYTER_PATH"]]))
            yield
    finally:
        chatter.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _keep(partial: Path, target: Path) -> str:
    if not partial.exists():
        return "Nothing had been written yet."
    kept = target.with_name(f"{target.stem}.failed.ipynb")
    os.replace(partial, kept)
    return f"What it reached is kept in {kept}."


def _told(error: Exception) -> str:
    """The cell, and the line that a traceback ends with: the error's name and the first line of its message."""
    place, text = "", str(error)
    if isinstance(error, PapermillExecutionError):
        place, text = f" in its code cell {error.exec_count}", f"{error.ename}: {error.evalue}"
    lines = [line for line in _ANSI.sub("", text).splitlines() if line.strip()]
    return f"{place}: {(lines[0] if lines else type(error).__name__).strip().rstrip('.:')}"
