"""Options are declared once: command line, plans, grids and notebooks agree with the requests."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from fd2lib.drive import GridRequest, Request
from fd2lib.drive.cli import main
from fd2lib.drive.notebooks import notebook_parameters
from fd2lib.drive.request import Common, todays_names
from fd2lib.ground import SettingError, fitting_option

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIELDS = {field.name: field for kind in (GridRequest, Request) for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_says_what_it_is(name):
    assert len(FIELDS[name].metadata["help"]) > 3
    assert FIELDS[name].default is not dataclasses.MISSING


def test_the_command_line_has_every_option_of_a_grid(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for field in dataclasses.fields(GridRequest):
        option = (field.metadata["name"] or field.name).replace("_", "-")
        assert f"--{option} " in told, option
        for old in field.metadata["formerly"]:
            assert f"--{old.replace('_', '-')} " in told
    assert all(choice in told for choice in ("toy", "reduced", "paper"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebooks_parameters_have_the_types_of_the_requests(path):
    several = {"ipc", "seeds", "study"}  # of grids, as text
    for name, default in notebook_parameters(path).items():
        assert name not in {old for field in FIELDS.values() for old in field.metadata["formerly"]}, name
        if name in FIELDS and not (name in several and isinstance(default, str)):
            assert type(default) is type(FIELDS[name].default), name


def test_the_snakefile_asks_the_requests_what_it_may_be_told():
    text = (ROOT / "Snakefile").read_text(encoding="utf-8")
    assert "todays_names" in text and "GridRequest" in text
    assert not re.search(r"GRID_KEYS", text)


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [
        (2, "", "2"),
        (Path("a") / "b", "", "a/b"),
        ("1", 0, 1),
        (np.int64(3), 0, 3),
        (np.int32(4), "", "4"),
        (1, 0.5, 1.0),
        ("2.5", 1.0, 2.5),
        (True, False, True),
    ],
)
def test_neighbouring_types_are_taken(value, default, expected):
    found = fitting_option("x", value, default)
    assert found == expected and type(found) is type(default)


@pytest.mark.parametrize(("value", "default"), [(True, 1), ("1.5", 1), ("nan", 1.0), (None, ""), (1, True), ([], "")])
def test_other_types_are_refused(value, default):
    with pytest.raises(SettingError, match=r"^x is .*; expected (int|str|float|bool)"):
        fitting_option("x", value, default)


def test_old_names_are_understood_and_unknown_ones_are_not():
    given = {"settings": "a.b=1", "teacher": "cal", "label_teacher": "plain", "teachers": "x y"}
    assert todays_names(given, Request) == {
        "overrides": "a.b=1", "teacher_kind": "cal", "label_teacher_kind": "plain", "teacher_backbones": "x y",
    }  # fmt: skip
    with pytest.raises(SettingError, match=r"'overides'.*Did you mean 'overrides'"):
        todays_names({"overides": ""}, Common)
