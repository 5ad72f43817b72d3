"""The page on grain: honest without rows, and not to be left as it is when rows decide something."""

import ast
from pathlib import Path

import nbformat
import pytest

from fd2lib import show

PAGE = Path(__file__).parents[2] / "notebooks" / "65_how_fine.ipynb"


def check(project: str = "") -> dict[str, object]:
    """Run the cells that read rows and check the text."""
    cells = {cell.id: cell.source for cell in nbformat.read(PAGE, as_version=4).cells if cell.cell_type == "code"}
    names: dict[str, object] = {}
    exec(cells["65-01"], names)
    if project:
        names["project"] = project
    for cell in ("65-02", "65-11", "65-12"):
        exec(compile(ast.parse(cells[cell]), cell, "exec"), names)
    return names


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(show, "project_path", lambda name: str(tmp_path / name))
    return tmp_path


def grows(place, request):
    """FD² gains a point on the first set and five more on each that follows; nobody else gains."""
    return 30 + request.seed % 3 + (request.method == "sre2lpp_fd2") * (1 + 5 * place + 0.1 * (request.seed % 2))


def test_without_rows_nothing_is_said(here, capsys):
    found = check(project=str(here))
    assert set(found["trends"]["trend"]) == {"not measured"}
    assert found["count"]["toy scale: drawn birds"] == "0 of 1,200"
    with pytest.raises(AssertionError, match="write the answer anew"):
        check()
    assert "checked against the committed rows: False" in capsys.readouterr().out


def test_rows_of_one_set_say_nothing_yet(here, commit):
    commit("grain_photos", [0, 1, 2], grows)
    lines = (here / "results" / "grain_photos.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (here / "results" / "grain_photos.csv").write_text("".join(one for one in lines if "Warbler" not in one))
    assert set(check(project=str(here))["trends"]["trend"]) == {"not measured"}


def test_rows_that_decide_something_must_change_the_text(here, commit, capsys):
    commit("grain_photos", range(6), grows)
    with pytest.raises(AssertionError, match=r"'photos_base': 'grows'.*write the answer anew"):
        check()
    found = check(project=str(here))  # rows of one's own need not fit the text
    assert found["found"] == {
        "drawn_base": "not measured", "drawn_rival": "not measured", "photos_base": "grows", "photos_rival": "grows",
    }  # fmt: skip
    assert found["slopes"]["photos_base"].mean == pytest.approx(5)
    assert found["count"]["reduced scale: photographs"] == "72 of 72"


def test_few_seeds_that_are_not_all_are_said_so(here, commit):
    commit("grain_photos", [0, 1, 2], grows)
    found = check(project=str(here))
    assert found["trends"]["n"].tolist() == [0, 0, 3, 3] and not found["trends"]["complete"].any()
    assert "not all seeds were run" in show.trends_table(found["trends"])
