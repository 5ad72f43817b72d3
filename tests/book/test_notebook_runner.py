"""The strict notebook runner, on small notebooks written here."""

import os
from pathlib import Path

import nbformat
import pytest

from fd2lib.drive.notebooks import NotebookError, notebook_parameters, parse_parameters, run_notebook
from fd2lib.ground import SettingError

PARAMETERS = (
    'dataset = "plumage"  # name: which images\nepochs: int = 2  # count: passes\nrate = 0.5  # per step\nstore = False'
)


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS, kernel: bool = True) -> Path:
    notebook = nbformat.v4.new_notebook()
    if parameters:
        notebook.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    if kernel:
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


def test_parameters_come_with_defaults(tmp_path):
    found = notebook_parameters(write_notebook(tmp_path / "a.ipynb"))
    assert found == {"dataset": "plumage", "epochs": 2, "rate": 0.5, "store": False}


def test_text_is_read_as_the_type_of_the_default(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb")
    given = {"dataset": "12", "epochs": " 3", "rate": "1e-3", "store": "True"}
    assert parse_parameters(source, given) == {"dataset": "12", "epochs": 3, "rate": 0.001, "store": True}
    with pytest.raises(SettingError, match="Did you mean 'rate'"):
        parse_parameters(source, {"rat": "1"})


def test_runs_in_its_folder_with_values_and_a_clean_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    foreign = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"  # found before this Python's own
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    show = (
        "import os\n"
        "print(dataset, epochs, rate, store, os.path.basename(os.getcwd()),"
        " os.environ.get('TQDM_DISABLE'), os.environ.get('MPLBACKEND') == 'Agg')"
    )
    source = write_notebook(tmp_path / "notebooks" / "a.ipynb", show, kernel=False)
    target = tmp_path / "new {folder}" / "deep" / "a.ipynb"
    given = {"dataset": 10, "epochs": "7", "rate": 1, "store": "true"}
    assert run_notebook(source, target, given) == target
    assert printed(target) == "10 7 1.0 True notebooks 1 False\n"
    assert [path.name for path in target.parent.iterdir()] == ["a.ipynb"]
    assert os.environ["MPLBACKEND"] == "Agg" and "TQDM_DISABLE" not in os.environ


def test_working_directory_can_be_given(tmp_path):
    source = write_notebook(tmp_path / "notebooks" / "a.ipynb", "import os; print(os.path.basename(os.getcwd()))")
    (tmp_path / "elsewhere").mkdir()
    target = run_notebook(source, tmp_path / "out.ipynb", working_directory=tmp_path / "elsewhere")
    assert printed(target) == "elsewhere\n"
    with pytest.raises(SettingError, match="nowhere does not exist"):
        run_notebook(source, target, working_directory=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch": 3}, "unknown parameter of a.ipynb 'epoch'. Did you mean 'epochs'"),
        ({"epochs": "many"}, "epochs is 'many'; expected int"),
        ({"epochs": 2.5}, "epochs is 2.5; expected int"),
        ({"epochs": True}, "epochs is True; expected int"),
        ({"epochs": None}, "epochs is None; expected int"),
        ({"rate": float("nan")}, "rate is nan; expected float"),
        ({"rate": "1e999"}, "rate is '1e999'; expected float"),
        ({"store": 1}, "store is 1; expected bool"),
        ({"dataset": ["a"]}, "dataset is ['a']; expected str"),
    ],
)
def test_refuses_what_does_not_fit_before_running(tmp_path, given, said):
    source = write_notebook(tmp_path / "a.ipynb", "open('ran', 'w').close()")
    with pytest.raises(SettingError) as caught:
        run_notebook(source, tmp_path / "out.ipynb", given)
    assert said in str(caught.value)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.ipynb").exists()


def test_notebook_without_parameters_takes_none(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", parameters="")
    assert notebook_parameters(source) == {}
    with pytest.raises(SettingError, match="has no parameters, so 'epochs'"):
        run_notebook(source, tmp_path / "out.ipynb", {"epochs": 1})


def test_failure_keeps_what_was_reached_and_the_earlier_page(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "print('fine')", "raise ValueError('what is wrong.\\nAnd more.')")
    target = tmp_path / "out.ipynb"
    target.write_text("earlier")
    with pytest.raises(NotebookError) as caught:
        run_notebook(source, target)
    message = str(caught.value)
    assert "a.ipynb failed in its code cell 3: ValueError: what is wrong. What it reached is kept in" in message
    assert "out.failed.ipynb" in message and "\n" not in message
    assert target.read_text() == "earlier"
    assert "fine" in printed(tmp_path / "out.failed.ipynb")
    assert not list(tmp_path.glob(".*.ipynb"))


def test_kernel_that_dies_is_named(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "import os; os._exit(1)")
    with pytest.raises(NotebookError, match=r"a.ipynb failed: .*[Kk]ernel"):
        run_notebook(source, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_missing_notebook_names_its_neighbour(tmp_path):
    write_notebook(tmp_path / "20_pretrain.ipynb")
    with pytest.raises(SettingError, match=r"Did you mean '20_pretrain.ipynb'"):
        run_notebook(tmp_path / "20_pretrian.ipynb", tmp_path / "out.ipynb")
    with pytest.raises(SettingError, match=r"expected an \.ipynb file there"):
        notebook_parameters(tmp_path / "empty" / "a.ipynb")


def test_what_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("not json")
    with pytest.raises(NotebookError, match="is not a notebook"):
        notebook_parameters(tmp_path / "a.ipynb")


def test_parameters_have_to_be_literals(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", parameters="root = open('x')")
    with pytest.raises(NotebookError, match="is not a literal"):
        notebook_parameters(source)


def test_never_overwrites_its_source(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb")
    before = source.read_bytes()
    with pytest.raises(SettingError, match="overwrite its source"):
        run_notebook(source, tmp_path / "." / "a.ipynb")
    assert source.read_bytes() == before


def test_a_target_that_cannot_be_written_is_refused_before_running(tmp_path):
    source = write_notebook(tmp_path / "a.ipynb", "open('ran', 'w').close()")
    (tmp_path / "folder").mkdir()
    for target in ("folder", "a.ipynb/b.ipynb", "/proc/fd2lib/b.ipynb"):
        with pytest.raises(SettingError, match=r"is a folder|nothing can be written"):
            run_notebook(source, tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "folder"]


@pytest.mark.parametrize("content", ["[]", "3", '{"cells": 3}', "{}", '{"nbformat": 9}', "\xff", ""])
def test_other_json_is_no_notebook(tmp_path, content):
    (tmp_path / "a.ipynb").write_text(content, encoding="latin-1")
    with pytest.raises(NotebookError, match="is not a notebook") as caught:
        notebook_parameters(tmp_path / "a.ipynb")
    assert "\n" not in str(caught.value)
