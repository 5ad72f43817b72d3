"""What papermill injected is a notebook's own or refused, and brought to the types of the notebook's defaults."""

import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import papermill
import pytest

from fd2lib.ground import SettingError
from fd2lib.ground.parameters import literal_defaults, settle_injected

OWN = 'dataset = "plumage"  # name\nclasses = ""\nipc: int = 2\nrate = 0.5\nlive = True\n'


@pytest.fixture
def shell(monkeypatch):
    """Return a function that makes what a kernel holds once its cells have run."""

    def make(*cells, **values):
        names = {"In": ["", *cells], **values}
        shell = SimpleNamespace(user_ns=names)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return names

    return make


def test_neighbouring_types_become_those_of_the_defaults(shell):
    injected = "# Parameters\nclasses = 2\nipc = '3'\nrate = 1\n"
    names = shell(OWN, injected, "import fd2lib", classes=2, ipc="3", rate=1, dataset=Path("own"))
    settle_injected()
    assert (names["classes"], names["ipc"], names["rate"]) == ("2", 3, 1.0)
    names = shell(OWN, "# Parameters\nipc = 4\n", ipc=np.int64(4))
    settle_injected()
    assert type(names["ipc"]) is int


@pytest.mark.parametrize(
    ("cells", "values", "said"),
    [
        ([OWN, "# Parameters\ndatasett = 'x'\n"], {"datasett": "x"}, r"datasett.*Did you mean 'dataset'"),
        ([OWN, "# Parameters\nipc = 'two'\n"], {"ipc": "two"}, r"parameter ipc is 'two'; expected int"),
        ([OWN, "# Parameters\nclasses = None\n"], {"classes": None}, r"parameter classes is None; expected str"),
        ([OWN, "# Parameters\nipc = 2.5\n"], {"ipc": 2.5}, r"parameter ipc is 2.5; expected int"),
        (["# Parameters\nipc = 2\n"], {"ipc": 2}, r"ipc was injected: this notebook has no parameters"),
        (["%matplotlib inline", OWN, "# Parameters\nIpc = 2\n"], {"Ipc": 2}, r"Did you mean 'ipc'"),
    ],
)
def test_what_is_not_the_notebooks_is_refused(shell, cells, values, said):
    shell(*cells, **values)
    with pytest.raises(SettingError, match=said) as caught:
        settle_injected()
    assert "\n" not in str(caught.value)


def test_a_notebook_without_injected_parameters_is_left_alone(shell, monkeypatch):
    names = shell(OWN, "ipc = 'mine'", ipc="mine")
    settle_injected()
    assert names["ipc"] == "mine"
    monkeypatch.delitem(sys.modules, "IPython")
    settle_injected()


@pytest.mark.parametrize("code", ["x = open('a')", "x = (", "x = y = 1", "%time x = 1"])
def test_defaults_are_literals(code):
    with pytest.raises(SettingError, match="expected"):
        literal_defaults(code)


@pytest.mark.slow
def test_papermill_itself_fails_at_the_first_import(tmp_path):
    cells = [nbformat.v4.new_code_cell(OWN, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell("from fd2lib import show\nprint(repr(classes))")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "a.ipynb")
    with pytest.raises(papermill.PapermillExecutionError, match="Did you mean 'dataset'"):
        papermill.execute_notebook(tmp_path / "a.ipynb", tmp_path / "b.ipynb", {"datasett": "x"}, progress_bar=False)
    done = papermill.execute_notebook(tmp_path / "a.ipynb", tmp_path / "b.ipynb", {"classes": 2}, progress_bar=False)
    assert done.cells[-1].outputs[0]["text"] == "'2'\n"
