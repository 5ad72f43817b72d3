"""What pages say of the committed rows is checked: with the rows as they are it passes, with other rows it does not."""

import ast
import csv
from pathlib import Path

import nbformat
import pytest

from fd2lib import show

ROOT = Path(__file__).parents[2]
# Page -> the cells that read committed rows or define how, by id, and the one that checks what the text says.
PAGES = {
    "01_answer": (["01-04", "01-07"], "answer.csv"),
    "02_evidence": (["02-04", "02-11"], "studies.csv"),
    "60_results": (["60-04", "60-23"], "runs.csv"),
    "70_ablations": (["70-09", "70-18"], "studies.csv"),
    "75_controls": (["75-09", "75-12"], "studies.csv"),
    "80_what_it_learned": (["80-21"], "attention.csv"),
    "90_cost": (["90-04", "90-06", "90-36", "90-20", "90-32", "90-31", "90-34", "90-23"], "studies.csv"),
}


def cells(page: str) -> dict[str, str]:
    notebook = nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def check(page: str, **parameters: object) -> None:
    """Run what the page checks of the committed rows, without what is run live."""
    sources, names = cells(page), {}
    for place, source in enumerate(sources.values()):
        imports = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), page, "exec"), names)
        if place == 0:
            exec(source, names)  # the parameters
    names |= parameters
    for cell in PAGES[page][0]:
        tree = ast.parse(sources[cell])
        tree.body = [node for node in tree.body if not live(node)]
        exec(compile(tree, f"{page} {cell}", "exec"), names)


def live(node: ast.stmt) -> bool:
    """Whether a statement is about what the page runs itself."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return not isinstance(node, ast.FunctionDef | ast.If) and bool(names & {"here", "live", "own", "rows", "run_grid"})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose results can be changed; returns the function that changes one file."""

    def change(name: str, edit) -> None:
        with open(tmp_path / "results" / name, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        rows = edit(rows)
        with open(tmp_path / "results" / name, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    (tmp_path / "results").mkdir()
    for path in (ROOT / "results").glob("*.csv"):
        (tmp_path / "results" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(show, "project_path", lambda name: str(tmp_path / name))
    return change


def equal_accuracies(rows):
    """Students that differ by chance alone, and by little."""
    return [row | {"last_top1": str(20 + int(row["seed"]) + 0.01 * place % 1)} for place, row in enumerate(rows)]


def one_seed_less(rows):
    return [row for row in rows if row["seed"] != "1"]


def swapped(rows):
    """What FD² reached is what its baseline reached, and the other way round; likewise the two teachers."""
    other = {"sre2lpp": "sre2lpp_fd2", "sre2lpp_fd2": "sre2lpp", "plain": "cal", "cal": "plain"}
    column = "teacher_kind" if "map" in rows[0] else "method"
    key = ("seed", "scale", "start", "ipc", "space", "images", "map")
    index = {(row[column], *(row.get(name) for name in key)): row for row in rows}
    value = "mass" if "map" in rows[0] else "last_top1"
    found = []
    for row in rows:
        twin = index.get((other.get(row[column]), *(row.get(name) for name in key)), row)
        found.append(row | {value: twin[value]})
    return found


def cheap_teachers(rows):
    return [row | {"pretrain_images": "10"} for row in rows]


def equal_masses(rows):
    return [row | {"mass": row["chance"]} for row in rows]


@pytest.mark.parametrize("page", PAGES)
def test_the_text_fits_the_committed_rows(page, project):
    check(page)


@pytest.mark.parametrize(
    ("page", "edit"),
    [
        ("01_answer", equal_accuracies),
        ("01_answer", one_seed_less),
        ("02_evidence", equal_accuracies),
        ("02_evidence", one_seed_less),
        ("60_results", equal_accuracies),
        ("60_results", swapped),
        ("60_results", one_seed_less),
        ("70_ablations", equal_accuracies),
        ("70_ablations", one_seed_less),
        ("70_ablations", swapped),
        ("75_controls", equal_accuracies),
        ("75_controls", one_seed_less),
        ("75_controls", swapped),
        ("80_what_it_learned", equal_masses),
        ("80_what_it_learned", swapped),
        ("80_what_it_learned", one_seed_less),
        ("90_cost", equal_accuracies),
        ("90_cost", cheap_teachers),
    ],
)
def test_the_text_fits_no_other_rows(page, edit, project):
    project(PAGES[page][1], edit)
    with pytest.raises(AssertionError) as caught:
        check(page)
    assert len(str(caught.value)) > 15, "a check without words"


def test_other_geometry_is_noticed(project):
    project("geometry.csv", lambda rows: [row | {"ratio": row["real_ratio"]} for row in rows])
    with pytest.raises(AssertionError, match="distinctness"):
        check("80_what_it_learned")


def test_slower_steps_are_noticed(project):
    project("bench.csv", lambda rows: [row | {"ratio": "2.5"} for row in rows])
    with pytest.raises(AssertionError, match="own time"):
        check("90_cost")


@pytest.mark.parametrize("page", PAGES)
def test_rows_of_ones_own_need_not_fit_the_text(page, project, capsys):
    """A page made of another file says of the committed rows what it always says, and does not check that."""
    file = PAGES[page][1]
    project(file, one_seed_less)
    whole, table = show.project_path("."), show.project_path(f"results/{file}")
    told = {"01": {"project": whole}, "02": {"project": whole}, "60": {"project": whole}, "80": {"attention": table}}
    check(page, **told.get(page[:2], {"results": table}))
    assert "committed rows: False" in capsys.readouterr().out
