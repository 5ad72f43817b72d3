"""Cells tagged `below` move into one fold; text, glue, numbers of figures and the order of execution stay right."""

import re

import nbformat
import pytest
from small_book import build_book

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # one pixel
)


def code(source: str, *tags: str, shows: str = "", figure: str = "") -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    if shows:
        cell.outputs.append(nbformat.v4.new_output("stream", text=shows))
    if figure:
        cell.metadata["mystnb"] = {"figure": {"caption": f"About {figure}.", "name": figure}, "image": {"alt": figure}}
        cell.outputs.append(nbformat.v4.new_output("display_data", {"image/png": PICTURE}))
    return cell


def glue(key: str, value: str) -> nbformat.NotebookNode:
    cell = code(f"glue({key!r})")
    data = {"text/plain": repr(value)}
    cell.outputs.append(nbformat.v4.new_output("display_data", data, metadata={"scrapbook": {"name": key}}))
    return cell


def text(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(source)


PAGES = {
    "index": [
        text("# Title\n\n**Answer.** It is {glue:text}`gain`; see {numref}`second` and {numref}`first`."),
        code("parameter_code", "parameters", "below"),
        code("injected_code", "injected-parameters"),
        code("checked_code", "below", shows="output of the check", figure="first"),
        glue("gain", "plus seven"),
        code("table_code", shows="output of the table", figure="second"),
        text("## How it was done\n\nWords in the middle."),
        code("silent_code"),
        text("## How this page was made\n\nWords at the end."),
        code("last_code", "below", shows="output of the last"),
    ],
    "untagged": [text("# Title"), code("some_code", shows="some output"), text("## Heading at the end")],
    "headless": [text("Words."), code("some_code", "below", shows="some output")],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, str]:
    return build_book(tmp_path_factory.mktemp("book"), PAGES, extensions=["myst_nb", "below"], numfig=True)


@pytest.fixture
def page(built) -> str:
    return built["index"]


def test_there_is_one_fold_and_it_ends_the_page(page):
    assert page.count("<details") == 1
    assert page.index("Words at the end.") < page.index('<details class="below">')
    assert re.search(r"<summary>[^<]+</summary>", page)


def test_machinery_is_in_the_fold_in_the_order_in_which_it_ran(page):
    before, _, fold = page.partition("<details")
    fold = fold.partition("</details>")[0]
    expected = ["parameter_code", "injected_code", "checked_code", "output of the check", "glue", "table_code"]
    expected += ["silent_code", "last_code", "output of the last"]
    assert [fold.count(word) for word in expected] == [1] * len(expected)
    assert sorted(expected, key=fold.index) == expected
    assert not [word for word in expected if word in before]


def test_what_untagged_cells_show_stays_where_it_was(page):
    words = ["Answer.", "output of the table", "Words in the middle.", "Words at the end.", "<details"]
    assert [page.count(word) for word in words] == [1] * len(words)
    assert sorted(words, key=page.index) == words
    assert not re.search(r'<div class="cell [^"]*">\s*</div>', page), "no empty cell is left behind"


def test_glue_and_numbers_of_figures_follow_the_page(page):
    assert "It is plus seven" in re.sub("<[^>]+>", "", page)
    plain = re.sub("<[^>]+>", "", page)
    assert "see Fig. 1 and Fig. 2" in plain, "the moved figure comes second on the page"
    assert plain.index("About second") < plain.index("About first")


def test_a_page_without_the_tag_stays_as_it_is(built):
    page = built["untagged"]
    assert "<details" not in page
    assert page.index("some_code") < page.index("some output") < page.index("Heading at the end<")


def test_a_page_without_a_heading_stays_as_it_is(built):
    page = built["headless"]
    assert "<details" not in page and page.index("some_code") < page.index("some output")
