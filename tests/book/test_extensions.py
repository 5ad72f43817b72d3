"""The book's small extensions on small books: links to a repository, words for sharing and searching, light pages."""

import json
import re

import nbformat
import pytest
import yaml
from small_book import ROOT, build_book

jupyter_book = pytest.importorskip("jupyter_book.config", reason="the book's packages are not installed")
ADDRESS = "https://github.com/someone/fd2lib"
NOTEBOOK = "book/executed/60_results"


def text(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(source)


PAGES = {
    "index": [text("# A book\n\nThe first paragraph says what the book is about, in words enough.")],
    NOTEBOOK: [
        text("# Does it help?\n\n**Answer.** It does, by a mean of seven points over twelve seeds."),
        nbformat.v4.new_code_cell("checked_code", metadata={"tags": ["below"]}),
        text("## Limits\n\nSmall <b>images</b> alone.\n\n| | |\n|---|---|\n| name | bird |"),
        text("## How this page was made"),
    ],
    "formula": [text("# Formula\n\n$$x^2$$")],
}


def build(folder, address: str) -> dict[str, str]:
    """With the theme's options as the book's `_config.yml` sets them, if the address stood in its one place."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config["repository"]["url"] = address
    given, *_ = jupyter_book.yaml_to_sphinx(config)
    return build_book(
        folder,
        PAGES,
        extensions=["myst_nb", "below", "excerpts", "offline", "repository", "sharing", "tables"],
        myst_enable_extensions=["dollarmath"],
        html_theme="sphinx_book_theme",
        html_theme_options=given["html_theme_options"],
        html_title=given["html_title"],
        templates_path=[str(ROOT / "book" / "_templates")],
        html_static_path=[str(ROOT / "book" / "_static")],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("plain")


@pytest.fixture(scope="module")
def plain(folder) -> dict[str, str]:
    return build(folder, "")


def test_without_an_address_no_page_links_to_a_repository(plain):
    words = ("github.com", "mybinder", "issues/new", "source-repository-button", "launch-buttons")
    assert not [word for html in plain.values() for word in words if word in html]


def test_with_an_address_pages_link_to_source_feedback_and_a_server(tmp_path):
    pages = build(tmp_path, ADDRESS)
    links = {name: re.findall(r'href="(https://[^"]+)"', html) for name, html in pages.items()}
    assert ADDRESS in links["index"] and any(link.startswith(f"{ADDRESS}/issues/new") for link in links["index"])
    assert not [link for link in links["formula"] if "executed" in link]
    assert f"{ADDRESS}/blob/main/notebooks/60_results.ipynb?plain=1" in links[NOTEBOOK]
    (server,) = [link for link in links[NOTEBOOK] if "mybinder.org" in link]
    assert server.endswith("notebooks/60_results.ipynb") and "executed" not in " ".join(links[NOTEBOOK])


def test_pages_say_what_they_are_about(plain):
    shared = dict(re.findall(r'<meta property="(og:[a-z_]+)" content="([^"]*)"', plain[NOTEBOOK]))
    assert shared["og:title"] == "Does it help?" and shared["og:site_name"].startswith("FD²")
    assert shared["og:description"] == "Answer. It does, by a mean of seven points over twelve seeds."


def test_words_are_stored_by_section_for_the_search(plain, folder):
    script = (folder / "html" / "_static" / "texts.js").read_text("utf-8")
    texts = json.loads(script.removeprefix("const BOOK_TEXTS = ").removesuffix(";\n"))
    assert set(texts) == set(PAGES)
    assert texts[NOTEBOOK]["answers"] and not texts["index"]["answers"]
    sections = texts[NOTEBOOK]["sections"]
    assert sections["does-it-help"].startswith("Does it help? Answer. It does")
    assert sections["limits"] == "Limits Small images alone. name bird"
    assert "checked_code" in sections["how-this-page-was-made"]


def test_pages_load_what_they_use(plain):
    formula = [name for name, html in plain.items() if "mathjax/" in html]
    assert formula == ["formula"]
    for name, html in plain.items():
        assert not re.findall(r'<script[^>]*src="[^"]*(?:fontawesome|searchindex)', html), name


def test_tables_without_a_head_have_none(plain):
    assert "<table" in plain[NOTEBOOK] and "<thead" not in plain[NOTEBOOK]
