"""The built pages: complete, and readable without a network. Skipped, saying so, where nothing is built."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
FORMULA = re.compile(r'class="[^"]*\bmath\b')
LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest"}
LOADED_SOURCES = {"script", "img", "iframe", "source", "video", "audio", "embed", "track", "input"}
REMOTE = re.compile(r"^\s*(?:https?:)?//", re.I)


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


@pytest.fixture(scope="module")
def parsed(pages) -> dict[Path, Page]:
    return {path: Page(path.read_text("utf-8")) for path in pages}


def test_every_entry_of_the_contents_has_a_page(pages):
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^\s*(?:- file|root): (\S+)", text, re.M)
    assert len(names) > 10 and yaml.safe_load(text)["root"] in names
    missing = [name for name in names if not (HTML / f"{name}.html").exists()]
    assert not missing


def test_nothing_is_fetched_from_elsewhere(parsed):
    found = {str(path.relative_to(HTML)): page.remote for path, page in parsed.items()}
    assert not {name: urls for name, urls in found.items() if urls}


def test_style_sheets_fetch_nothing_from_elsewhere(pages):
    sheets = sorted(HTML.rglob("*.css"))
    assert sheets
    found = {str(path.relative_to(HTML)): urls for path in sheets if (urls := remote_in_style(path.read_text("utf-8")))}
    assert not found


def test_local_scripts_and_styles_exist(parsed):
    missing = set()
    for path, page in parsed.items():
        for url in page.fetched:
            name = url.split("?")[0].split("#")[0]
            if name and not REMOTE.match(url) and not name.startswith("data:") and not (path.parent / name).exists():
                missing.add(f"{path.relative_to(HTML)}: {name}")
    assert not missing


def test_formulas_come_from_the_build_and_only_to_pages_that_have_some(pages):
    texts = {path: path.read_text("utf-8") for path in pages}
    scripts = {path: re.findall(r'src="([^"]*mathjax[^"]*)"', text) for path, text in texts.items()}
    assert {path for path in pages if scripts[path]} == {path for path in pages if FORMULA.search(texts[path])}
    (script,) = scripts[HTML / "book" / "method.html"]
    folder = (HTML / "book" / script).parent
    (settings,) = re.findall(r"window\.MathJax = ({.*?})</script>", texts[HTML / "book" / "method.html"])
    assert all((folder / f"{part}.js").exists() for part in json.loads(settings)["loader"]["load"])
    assert list(folder.rglob("*.woff"))


def test_pages_have_words_for_sharing(pages):
    page = HTML / "book" / "executed" / "01_answer.html"
    text = page.read_text("utf-8")
    for name in ("og:title", "og:description", "og:site_name"):
        (words,) = re.findall(rf'<meta property="{name}" content="([^"]+)"', text)
        assert len(words) > 10
    (icon,) = re.findall(r'<link rel="icon" href="([^"]+)"', text)
    assert (page.parent / icon.split("?")[0]).exists()


def test_pictures_have_alternative_text(parsed):
    found = {str(path.relative_to(HTML)): page.mute for path, page in parsed.items() if page.mute}
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
