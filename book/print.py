"""Print the book, built as a single page, with the machine's Chromium: python book/print.py FOLDER PDF."""

import os
import shutil
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

CONTENTS = Path(__file__).parents[1] / "_toc.yml"
ROOT = f"{yaml.safe_load(CONTENTS.read_text(encoding='utf-8'))['root']}.html"  # of the single page
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOOT = (
    '<div style="width:100%;text-align:center;font-size:8pt;font-family:sans-serif">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def find_browser() -> str:
    """The first browser on the path that can do it."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(
            f"make pdf prints with Chromium: none of {', '.join(BROWSERS)} is on the path. apt-get install chromium"
        )
    return program


def at_root(folder: Path) -> Path:
    """The single page where its addresses lead from: Sphinx writes it below the root, as if it lay there."""
    page = folder / "whole.html"
    text = (folder / ROOT).read_text(encoding="utf-8")
    page.write_text(text.replace(f'href="{ROOT}#', 'href="#'), encoding="utf-8")
    return page


def print_page(page: Path, target: Path) -> None:
    """Write ``target``: A4, numbered pages, with an outline of the headings."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to be run by root
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=find_browser(), args=as_root)
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(0)  # a whole book takes minutes on a slow machine
        tab.goto(page.resolve().as_uri())
        tab.evaluate("() => Promise.all([document.fonts.ready, window.MathJax?.startup?.promise])")
        tab.pdf(
            path=target, format="A4", outline=True, tagged=True, print_background=True, display_header_footer=True,
            header_template="<span></span>", footer_template=FOOT,
            margin={"top": "16mm", "bottom": "18mm", "left": "14mm", "right": "14mm"},
        )  # fmt: skip
        browser.close()
    print(f"The book is printed: {target.resolve()} ({target.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Expected two arguments, the folder of the single page and the PDF: python book/print.py FOLDER PDF")
    print_page(at_root(Path(sys.argv[1])), Path(sys.argv[2]))
