"""Excerpts in the results of a search, also of a book on disk, where a page may not fetch the others.

After the build the words of every page are stored section by section in one script, which the page of the search loads;
``_static/find.js`` shows the lines around what was found, and puts pages that answer a question first.
"""

import json
from html.parser import HTMLParser
from pathlib import Path

from sphinx.application import Sphinx

SCRIPT = "texts.js"
SKIPPED = {"script", "style", "svg", "nav", "math", "button"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Words(HTMLParser):
    """Collects a page's words, in ``sections`` by their ids; ``answers`` says whether it has a fold of machinery."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, list[str]] = {}
        self.answers = False
        self._open: list[tuple[str, str]] = []  # tags that are open, with the section each began
        self._ids: list[str] = []
        self._skip = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        given = {name: value or "" for name, value in attrs}
        section = given.get("id", "") if tag == "section" else ""
        skipped = tag in SKIPPED or "headerlink" in given.get("class", "")
        self._open.append((f"{tag}!" if skipped else tag, section))
        self._skip += skipped
        if section:
            self._ids.append(section)
            self.sections.setdefault(section, [])
        self.answers |= tag == "details" and given.get("class") == "below"

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, section = self._open.pop()
            self._skip -= opened.endswith("!")
            if section:
                self._ids.pop()
            if opened.rstrip("!") == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._ids and not self._skip:
            self.sections[self._ids[-1]] += data.split()


def _store(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    texts = {}
    for name in sorted(app.env.found_docs):
        words = Words(Path(app.outdir, f"{name}.html").read_text("utf-8"))
        sections = {key: " ".join(said) for key, said in words.sections.items()}
        texts[name] = {"answers": words.answers, "sections": sections}
    script = f"const BOOK_TEXTS = {json.dumps(texts, ensure_ascii=False, separators=(',', ':'))};\n"
    Path(app.outdir, "_static", SCRIPT).write_text(script, encoding="utf-8")


def _load(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    if page == "search":
        for script in (SCRIPT, "find.js"):
            app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", _load)
    app.connect("build-finished", _store)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
