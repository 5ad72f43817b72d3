"""The form every source notebook keeps, so that a reader who knows one knows all."""

import ast
import io
import re
import tokenize
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_CELLS, MAX_LINES = 15, 82
# Headings in their order, as words that have to appear in one. A page that answers a question (it has cells tagged
# `below`, which the book moves there) tells first what was found and last how.
SECTIONS = ("parameters", "check", "reading", "provenance")
ANSWER_SECTIONS = ("how it was done", "limits", "how this page was made")
BOX = re.compile(r"^(?:```|:{3,})\{(?:admonition|note|tip|important|hint)\}(.*?)^(?:```|:{3,})\s*$", re.S | re.M)
PICTURES = {"image/png", "image/svg+xml", "image/jpeg"}


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_lines(source: str) -> set[int]:
    """Line numbers with code on them: neither blank nor only a comment."""
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines


def tree(cell: nbformat.NotebookNode) -> ast.AST:
    lines = cell.source.splitlines()
    return ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines))


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def answers(notebook: nbformat.NotebookNode) -> bool:
    """Whether the page answers first: its set-up, checks and provenance are shown below, with the code of all cells."""
    return bool(tagged(notebook, "below"))


def headings(notebook: nbformat.NotebookNode) -> list[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [line.lstrip("# ").lower() for line in text.splitlines() if re.match(r"#{1,4} ", line)]


def test_there_are_notebooks():
    assert PATHS, "notebooks/ holds no notebook"


each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@each_notebook
def test_short_enough_to_read(path):
    cells = code_cells(read(path))
    assert len(cells) <= MAX_CELLS
    assert sum(len(code_lines(cell.source)) for cell in cells) <= MAX_LINES, "move logic into fd2lib"


@each_notebook
def test_opens_with_title_question_and_box(path):
    notebook = read(path)
    opening = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            break
        opening.append(cell.source)
    text = "\n".join(opening)
    assert text.startswith("# "), "expected a title first"
    assert "?" in text, "expected the question the notebook answers"
    if answers(notebook):
        assert "**Answer.**" in text, "expected the answer before anything else"
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    boxes = [box.lower() for box in BOX.findall(text)]  # questions to predict are boxes too
    words = ("device", "time", "need")
    assert any(all(word in box for word in words) for box in boxes), "expected a box with device, time and needs"


@each_notebook
def test_sections_come_in_order(path):
    notebook = read(path)
    found, sections = headings(notebook), ANSWER_SECTIONS if answers(notebook) else SECTIONS
    positions = []
    for word in sections:
        matching = [index for index, heading in enumerate(found) if word in heading]
        assert matching, f"no heading with {word!r}; headings are {found}"
        positions.append(matching[-1])
    assert positions == sorted(positions), f"expected the order {sections}; headings are {found}"
    assert sections[-1] in found[-1], f"{sections[-1]} comes last"


@each_notebook
def test_a_page_that_answers_shows_no_machinery_first(path):
    notebook = read(path)
    if answers(notebook):
        (parameters,) = tagged(notebook, "parameters")
        first, last = code_cells(notebook)[0], code_cells(notebook)[-1]
        assert parameters in (first,) and {"below"} <= set(parameters.metadata.tags) & set(last.metadata.tags)
        checks = [cell for cell in code_cells(notebook) if any(isinstance(n, ast.Assert) for n in ast.walk(tree(cell)))]
        assert all("below" in cell.metadata.get("tags", []) for cell in checks), "checks are shown below"


@each_notebook
def test_parameters_are_commented_plain_literals(path):
    (cell,) = tagged(read(path), "parameters")
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline)
        if token.type == tokenize.COMMENT
    }
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.Assign | ast.AnnAssign), f"only assignments: {ast.unparse(node)}"
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        assert len(targets) == 1 and isinstance(targets[0], ast.Name), ast.unparse(node)
        if isinstance(node, ast.AnnAssign):
            assert isinstance(node.annotation, ast.Name), f"no unions or Literal: {ast.unparse(node)}"
        assert isinstance(ast.literal_eval(node.value), bool | int | float | str), f"no None: {ast.unparse(node)}"
        assert node.lineno == node.end_lineno and node.lineno in comments, f"no comment: {ast.unparse(node)}"


@each_notebook
def test_stored_outputs_are_of_one_clean_run(path):
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run all cells of a fresh kernel once, in order"
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error"
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/(?:home|root|tmp|Users)/", cell.source + text), "a path of one machine"


@each_notebook
def test_checks_speak(path):
    nodes = [node for cell in code_cells(read(path)) for node in ast.walk(tree(cell))]
    asserts = [node for node in nodes if isinstance(node, ast.Assert)]
    assert asserts, "expected a check"
    for node in asserts:
        assert node.msg is not None, f"assert without words: {ast.unparse(node)}"


@each_notebook
def test_pictures_have_captions_and_alternative_text(path):
    for cell in code_cells(read(path)):
        if not any(PICTURES & set(output.get("data", {})) for output in cell.outputs):
            continue
        render = cell.metadata.get("mystnb", {})
        figure, image = render.get("figure", {}), render.get("image", {})
        assert len(figure.get("caption", "").split()) >= 4, f"no caption: {cell.source[:60]!r}"
        assert re.fullmatch(r"[a-z0-9-]+", figure.get("name", "")), f"no name: {cell.source[:60]!r}"
        assert len(image.get("alt", "").split()) >= 4, f"no alternative text: {cell.source[:60]!r}"


@each_notebook
def test_provenance_is_the_last_code(path):
    assert "provenance" in code_cells(read(path))[-1].source


def test_names_of_figures_are_unique():
    names = [
        name
        for path in PATHS
        for cell in code_cells(read(path))
        if (name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"))
    ]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
