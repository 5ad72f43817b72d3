"""BibTeX from ``CITATION.cff``, which is the one place that says how to cite: ``{citation} paper`` or ``software``."""

import textwrap
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FILE = Path(__file__).parents[2] / "CITATION.cff"
WORKS = ("paper", "software")
WIDTH = 68  # letters


def bibtex(work: str, citation: Mapping[str, Any]) -> str:
    """Return one of :data:`WORKS` as a BibTeX entry; ``citation`` is what ``CITATION.cff`` holds."""
    if work == "paper":
        paper = citation["preferred-citation"]
        ids = ", ".join(one["value"] for one in paper["identifiers"])
        fields = {"booktitle": paper["collection-title"], "year": paper["year"], "note": ids, "url": paper["url"]}
        return _entry("inproceedings", paper, fields)
    fields = {"note": f"Version {citation['version']}", "url": citation.get("repository-code", "")}
    return _entry("misc", citation, fields)


def _entry(kind: str, work: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    people = [
        f"{one['family-names']}, {one['given-names']}" if "given-names" in one else f"{{{one['name']}}}"
        for one in work["authors"]
    ]
    # A second pair of braces keeps a style from changing capitals.
    fields = {"title": f"{{{work['title']}}}", "author": " and ".join(people), **more}
    lines = [_field(name, str(value)) for name, value in fields.items() if value]
    return ",\n".join([f"@{kind}{{{_key(work)}", *lines]) + "\n}"


def _field(name: str, value: str) -> str:
    """One field, broken between words so that a narrow page shows all of it."""
    return textwrap.fill(f"  {name:<9} = {{{value}}}", WIDTH, subsequent_indent=" " * 15, break_on_hyphens=False)


def _key(work: Mapping[str, Any]) -> str:
    """First author, year and the title's first word, such as ``ma2026fd2``."""
    words = [work["authors"][0].get("family-names", ""), str(work.get("year", "")), work["title"].split()[0]]
    plain = unicodedata.normalize("NFKD", "".join(words)).lower()
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


class Citation(SphinxDirective):
    """A block of BibTeX, to be copied."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        work = directives.choice(self.arguments[0], WORKS)
        self.env.note_dependency(str(FILE))  # a changed file makes the page again
        text = bibtex(work, yaml.safe_load(FILE.read_text(encoding="utf-8")))
        return [nodes.literal_block(text, text, language="bibtex")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("citation", Citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
