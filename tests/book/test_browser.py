"""The built pages in a browser: quiet, light, whole on a phone and on a desk, usable by keyboard and by ear.

Skipped, saying why, where there is no Chromium or no built book.
"""

import importlib.util
import os
import runpy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; make setup installs it")

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
NAMES = runpy.run_path(str(ROOT / "book" / "print.py"))["BROWSERS"]
DESK, PHONE = 1300, 390  # px of width
HEAVIEST = 2e6  # bytes of a page with everything it loads
# Rules of axe that are broken by what we do not write, and where.
NOT_OURS = [
    "dt.sig > dl",  # Sphinx writes a signature of several lines as a list of definitions without terms
    ".citation-list",  # docutils gives references a role that has since been deprecated
]
# Elements that reach out of the window although nothing around them scrolls.
CUT = """() => [...document.querySelectorAll("article *")].filter((element) => {
  const box = element.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 1 || element.closest("mjx-assistive-mml")) return false;
  for (let around = element.parentElement; around; around = around.parentElement)
    if (getComputedStyle(around).overflowX !== "visible") return false;
  return true;
}).slice(0, 3).map((element) => element.outerHTML.slice(0, 80))"""
AXE = """([colours, others]) => axe.run({
  include: [document.querySelector("article, .bd-search-container, main")], exclude: others.map((one) => [one])
}, {
  preload: false, resultTypes: ["violations"], rules: {"color-contrast": {enabled: colours}}
}).then((found) => found.violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`))"""


@dataclass
class Visit:
    """What happened when a page was opened."""

    complaints: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    cut: dict[int, list[str]] = field(default_factory=dict)
    barriers: list[str] = field(default_factory=list)

    @property
    def weight(self) -> int:
        files = [Path(unquote(urlsplit(url).path)) for url in self.asked if url.startswith("file:")]
        return sum(file.stat().st_size for file in files if file.exists())


@pytest.fixture(scope="module")
def browser(pages) -> Iterator[object]:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is on the path; apt-get install chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to be run by root
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=as_root)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, which comes with a package that otherwise only wraps it."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None:
        pytest.skip("axe-playwright-python is not installed; make setup installs it")
    return Path(next(iter(found.submodule_search_locations)), "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def visits(browser, pages, axe) -> dict[str, Visit]:
    """Every page but listings of source code and the way to the first page, opened once."""
    visits = {}
    page = browser.new_page()
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("requestfailed", lambda request: visit.complaints.append(f"not loaded: {request.url}"))
    page.on("request", lambda request: visit.asked.add(request.url.split("?")[0].split("#")[0]))
    for path in pages:
        if "_modules" in path.parts or path == HTML / "index.html":
            continue
        visit = visits[str(path.relative_to(HTML))] = Visit()
        page.set_viewport_size({"width": DESK, "height": 900})
        page.goto(path.as_uri())
        page.evaluate("() => Promise.all([document.fonts.ready, window.MathJax?.startup?.promise])")
        for width in (DESK, PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("() => new Promise(requestAnimationFrame)")
            visit.cut[width] = page.evaluate(CUT)
            if page.evaluate("document.scrollingElement.scrollWidth") > width:
                visit.cut[width].append("the page moves sideways")
        if path.parent.name != "api" or path.stem == "losses":  # those pages are all of one make
            page.evaluate(axe)
            visit.barriers = page.evaluate(AXE, [False, NOT_OURS])
    page.close()
    return visits


def test_pages_open_quietly(visits):
    assert len(visits) > 30
    assert not {name: visit.complaints for name, visit in visits.items() if visit.complaints}


def test_nothing_is_asked_of_other_machines(visits):
    asked = {name: {urlsplit(url).scheme for url in visit.asked} for name, visit in visits.items()}
    assert not {name: schemes for name, schemes in asked.items() if schemes - {"file", "data", "blob"}}


def test_pages_are_light(visits):
    assert not {name: visit.weight for name, visit in visits.items() if visit.weight > HEAVIEST}
    front = visits["book/executed/01_answer.html"]
    assert front.weight > 5e5, "the style sheet alone weighs as much: nothing was counted"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_is_cut(visits, width):
    assert not {name: visit.cut[width] for name, visit in visits.items() if visit.cut[width]}


def test_no_barriers(visits):
    assert not {name: visit.barriers for name, visit in visits.items() if visit.barriers}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["book/executed/01_answer.html", "book/executed/60_results.html"])
def test_text_stands_out_from_its_ground(browser, axe, name, scheme):
    page = browser.new_page(color_scheme=scheme, viewport={"width": DESK, "height": 900})
    page.goto((HTML / name).as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.evaluate(axe)
    assert not page.evaluate(AXE, [True, NOT_OURS])
    page.close()


@pytest.fixture
def phone(browser) -> Iterator[object]:
    page = browser.new_page(viewport={"width": PHONE, "height": 800})
    yield page
    page.close()


def cut(phone, page: str, tables: str) -> list[str]:
    """Beginnings of those of a page's tables that a phone does not show whole."""
    phone.goto((HTML / "book" / "executed" / page).as_uri())
    of_page = f"[...document.querySelectorAll('article table')].filter({tables})"
    assert phone.evaluate(f"{of_page}.length") > 2
    wide = "(t) => t.scrollWidth > t.parentElement.clientWidth + 1"
    return phone.evaluate(f"{of_page}.filter({wide}).map((t) => t.innerText.slice(0, 80))")


def test_narrow_tables_fit_a_phone(phone):
    shown = "t.checkVisibility({contentVisibilityAuto: true})"
    assert not cut(phone, "80_what_it_learned.html", f"(t) => {shown} && t.rows[0].cells.length < 6")


def test_the_state_of_the_evidence_fits_a_phone(phone):
    assert not cut(phone, "02_evidence.html", "(t) => t.rows[0].innerText.includes('verdict')")


def test_tables_scroll_by_keyboard(phone, pages):
    wide = """(box) => { box.focus(); return document.activeElement === box && box.scrollWidth > box.clientWidth; }"""
    for path in pages:
        phone.goto(path.as_uri()) if path.parent.name == "executed" else phone.goto("about:blank")
        for box in phone.query_selector_all("article [tabindex='0']:has(> table)"):
            if phone.evaluate(wide, box):
                phone.keyboard.press("ArrowRight")
                phone.wait_for_function("(box) => box.scrollLeft > 0", arg=box)
                return
    pytest.fail("no table is wider than a phone: this test has nothing to try")


def test_students_are_found_sorted_and_chosen_by_keyboard(phone):
    phone.goto((HTML / "book" / "executed" / "97_students.html").as_uri())
    first = phone.locator("#students tbody tr").first
    first.wait_for()
    phone.get_by_label("Search:").focus()
    phone.keyboard.type("random real, CAL")
    phone.wait_for_function("() => document.querySelector('.dt-info').innerText.includes('in all')")
    assert first.inner_text().startswith("random real, CAL labels")
    phone.get_by_label("Search:").fill("")
    phone.locator("#students thead button").first.focus()
    phone.keyboard.press("Enter")
    listed = phone.locator(".dtcc-list-buttons button").all_inner_texts()
    assert "random real, CAL labels" in listed and len(listed) == len(set(listed)) > 5


def test_viewers_move_by_keyboard(phone, pages):
    path = next(path for path in pages if 'class="fd2-viewer"' in path.read_text("utf-8"))
    phone.goto(path.as_uri())
    for viewer in phone.query_selector_all(".fd2-viewer"):
        before = viewer.query_selector("output").inner_text()
        viewer.query_selector("[aria-label='next']").focus()
        phone.keyboard.press("Enter")
        assert viewer.query_selector("output").inner_text() != before


def test_folds_open_by_keyboard_and_on_paper(phone, pages):
    path = next((path for path in pages if '<details class="below"' in path.read_text("utf-8")), None)
    if path is None:
        pytest.skip("no page has cells tagged `below`")
    phone.goto(path.as_uri())
    inside = phone.locator("details.below .cell_input").first
    assert not inside.is_visible()
    phone.locator("details.below > summary").focus()
    phone.keyboard.press("Enter")
    assert inside.is_visible()
    phone.keyboard.press("Enter")
    phone.emulate_media(media="print")
    phone.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert inside.is_visible()


def test_search_from_disk_shows_excerpts_and_answers_first(browser, pages):
    page = browser.new_page()
    page.goto(f"{(HTML / 'search.html').as_uri()}?q=attention")
    page.wait_for_selector("ul.search li")
    page.wait_for_function("() => !Search._pulse_status || Search._pulse_status < 0")
    items = page.query_selector_all("ul.search > li")
    assert len(items) > 5
    excerpts = [found.inner_text() for item in items if (found := item.query_selector(".excerpt"))]
    assert len(excerpts) > 5 and sum("attention" in words.lower() for words in excerpts) > len(excerpts) / 2
    assert page.query_selector(".excerpt mark")
    found = page.evaluate("""() => [...document.querySelectorAll("ul.search > li > a")].map(
      (link) => BOOK_TEXTS[link.getAttribute("href").split("#")[0].replace(".html", "")]?.answers || false)""")
    assert found == sorted(found, reverse=True), "pages that answer a question come first"
    page.close()
