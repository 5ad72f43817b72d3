"""Builds a book of a few pages with the book's own extensions, for tests of these."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("myst_nb", reason="the book's packages are not installed")
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parents[1]


def build_book(
    folder: Path, pages: Mapping[str, Sequence[nbformat.NotebookNode]], **settings: object
) -> dict[str, str]:
    """The HTML of each page, from its cells; a warning of the build is an error."""
    for name, cells in pages.items():
        notebook = nbformat.v4.new_notebook(cells=list(cells), metadata={"orphan": True})
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    lines = [f"import sys\nsys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})", "nb_execution_mode = 'off'"]
    lines += [f"{name} = {value!r}" for name, value in settings.items()]
    (folder / "conf.py").write_text("\n".join(lines), encoding="utf-8")
    out, warnings = folder / "html", StringIO()
    with docutils_namespace():
        Sphinx(folder, folder, out, folder / "trees", "html", status=None, warning=warnings).build()
    assert not warnings.getvalue()
    return {name: (out / f"{name}.html").read_text("utf-8") for name in pages}
