"""The built pages: complete, and readable without a network. Skipped, saying so, where nothing is built."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest"}
LOADED_SOURCES = {"script", "img", "iframe", "source", "video", "audio", "embed", "track", "input"}
REMOTE = re.compile(r"^\s*(?:https?:)?//", re.I)


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    index = HTML / f"{yaml.safe_load((ROOT / '_toc.yml').read_text())['root']}.html"
    if not index.exists():
        pytest.skip("the book is not built; make book builds it")
    if index.stat().st_mtime < (ROOT / "_toc.yml").stat().st_mtime:
        pytest.skip("the built book is older than its contents; make book builds it")
    return sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)


class Page(HTMLParser):
    """Collects what a browser would fetch, and pictures without alternative text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.mute: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inside = tag
        if tag in LOADED_SOURCES:
            self.fetched.append(given.get("src", ""))
            self.fetched += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        if tag in {"image", "use"}:
            self.fetched += [given.get("href", ""), given.get("xlink:href", "")]
        if tag == "object":
            self.fetched.append(given.get("data", ""))
        self.fetched += remote_in_style(given.get("style", ""))
        if tag == "img" and not given.get("alt", "").strip() and given.get("role") != "presentation":
            self.mute.append(given.get("src", "")[:80])

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.fetched += remote_in_style(data)
        if self.inside == "script":
            self.fetched += re.findall(r"""["'](https?://[^"']+\.(?:m?js|css|woff2?|wasm))["']""", data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    @property
    def remote(self) -> list[str]:
        return [url for url in self.fetched if REMOTE.match(url)]


def remote_in_style(text: str) -> list[str]:
    """What a style sheet would fetch from elsewhere."""
    urls = re.findall(r"@import\s+(?:url\()?\s*[\"']?([^\"')\s;]+)", text)
    urls += re.findall(r"url\(\s*[\"']?([^\"')]+)", text)
    return [url for url in urls if REMOTE.match(url)]


def test_every_entry_of_the_contents_has_a_page(pages):
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^\s*(?:- file|root): (\S+)", text, re.M)
    assert len(names) > 10 and yaml.safe_load(text)["root"] in names
    missing = [name for name in names if not (HTML / f"{name}.html").exists()]
    assert not missing


def test_nothing_is_fetched_from_elsewhere(pages):
    found = {str(path.relative_to(HTML)): Page(path.read_text("utf-8")).remote for path in pages}
    assert not {name: urls for name, urls in found.items() if urls}


def test_style_sheets_fetch_nothing_from_elsewhere(pages):
    sheets = sorted(HTML.rglob("*.css"))
    assert sheets
    found = {str(path.relative_to(HTML)): urls for path in sheets if (urls := remote_in_style(path.read_text("utf-8")))}
    assert not found


def test_local_scripts_and_styles_exist(pages):
    missing = set()
    for path in pages:
        for url in Page(path.read_text("utf-8")).fetched:
            name = url.split("?")[0].split("#")[0]
            if name and not REMOTE.match(url) and not name.startswith("data:") and not (path.parent / name).exists():
                missing.add(f"{path.relative_to(HTML)}: {name}")
    assert not missing


def test_formulas_come_from_the_build(pages):
    text = (HTML / "book" / "method.html").read_text("utf-8")
    (script,) = re.findall(r'src="([^"]*mathjax[^"]*)"', text)
    assert (HTML / "book" / script.split("?")[0]).stat().st_size > 1e6


def test_pictures_have_alternative_text(pages):
    found = {str(path.relative_to(HTML)): page.mute for path in pages if (page := Page(path.read_text("utf-8"))).mute}
    assert not found


def test_no_cell_failed(pages):
    words = "Traceback (most recent call last)"
    assert not [str(path.relative_to(HTML)) for path in pages if words in path.read_text("utf-8")]


@pytest.mark.parametrize(
    ("html", "remote"),
    [
        ('<script src="https://a.b/c.js"></script>', ["https://a.b/c.js"]),
        ('<script src="//a.b/c.js"></script>', ["//a.b/c.js"]),
        ('<script>load("https://a.b/c.js")</script>', ["https://a.b/c.js"]),
        ('<link rel="stylesheet" href="https://a.b/c.css">', ["https://a.b/c.css"]),
        ("<style>@import url('https://a.b/c.css');</style>", ["https://a.b/c.css", "https://a.b/c.css"]),
        ('<p style="background: url(http://a.b/c.png)">', ["http://a.b/c.png"]),
        ('<a href="https://a.b">text</a><script src="c.js"></script><link rel="next" href="https://a.b">', []),
    ],
)
def test_the_scan_finds_what_it_should(html, remote):
    assert Page(html).remote == remote
