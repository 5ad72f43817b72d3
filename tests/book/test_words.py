"""Words: every one that the glossary explains is used, and pages link theirs; how to cite has one source."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# Pages on which people look something up, and those that were written before the runs or are made elsewhere.
WITHOUT = {"api", "bibliography", "changelog", "glossary", "index", "plan"}
TERM = re.compile(r"\{term\}`([^`]+)`")


def entries() -> list[list[str]]:
    """The glossary's entries, each as the names it has."""
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    found = list[list[str]]()
    for block in re.findall(r"^```\{glossary\}\n(.*?)^```", text, re.S | re.M):
        for entry in re.split(r"\n\n", block.strip()):
            found.append([line.lower() for line in entry.splitlines() if not line.startswith(" ")])
    return found


def pages() -> dict[str, str]:
    """The text of every page and notebook of the book."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("*.md"))}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.stem] = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return found


def linked(text: str) -> list[str]:
    """The words that a text links to the glossary, in order."""
    return [re.sub(r"^.*<(.+)>$", r"\1", " ".join(name.split())).lower() for name in TERM.findall(text)]


ENTRIES, PAGES = entries(), pages()
OF = {name: place for place, names in enumerate(ENTRIES) for name in names}


def test_the_glossary_explains_each_word_once():
    names = [name for one in ENTRIES for name in one]
    assert len(ENTRIES) > 30 and len(names) == len(set(names))


def test_every_entry_is_used_somewhere():
    used = {OF[word] for text in PAGES.values() for word in linked(text) if word in OF}
    assert not [names for place, names in enumerate(ENTRIES) if place not in used]


PROSE = [name for name in PAGES if name not in WITHOUT and not re.match(r"\d", name)]
PIPELINE = [name for name in PAGES if re.match(r"[0-5]0_", name)]


@pytest.mark.parametrize("page", [*PROSE, *PIPELINE])
def test_prose_and_pipeline_link_words_to_the_glossary(page):
    assert linked(PAGES[page])


@pytest.mark.parametrize("page", [page for page in PAGES if page != "glossary"])
def test_a_page_links_a_word_once_and_only_words_that_are_there(page):
    words = linked(PAGES[page])
    assert not set(words) - OF.keys()
    assert len(words) == len(set(words))


def extension():
    spec = importlib.util.spec_from_file_location("cite", ROOT / "book" / "_ext" / "cite.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def fields(entry: str) -> dict[str, str]:
    """A BibTeX entry's fields, less braces, and the square that LaTeX writes otherwise."""
    found = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*?)\}+,?$", entry, re.M | re.S))
    return {name: re.sub(r"[{}]", "", " ".join(value.split())).replace("$^2$", "²") for name, value in found.items()}


def test_the_paper_is_cited_as_the_bibliography_does():
    entry = extension().bibtex("paper", CITATION)
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    known = re.search(r"^@inproceedings\{ma2026fd2,.*?^\}", bibliography, re.S | re.M).group()
    assert entry.splitlines()[0] == known.splitlines()[0]
    assert fields(known).items() <= fields(entry).items()


def test_the_software_is_cited_with_its_version_and_its_address_once_it_has_one():
    bibtex = extension().bibtex
    entry = fields(bibtex("software", CITATION))
    assert entry["title"] == CITATION["title"] and CITATION["version"] in entry["note"] and "url" not in entry
    assert entry["author"] == "fd2lib contributors"
    assert fields(bibtex("software", CITATION | {"repository-code": "https://a.b/c"}))["url"] == "https://a.b/c"


def test_the_version_that_is_cited_is_the_librarys():
    from fd2lib import __version__

    assert CITATION["version"] == __version__
