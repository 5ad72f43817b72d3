"""Tables that readers sort and filter, without a network.

The package ``itables`` would have its script of 600 kB written into each notebook, or fetched from a server. Here the
build takes script and style out of the installed package, once for all pages, and only pages with such a table load
them. A module cannot be imported from a file on disk, so the script carries it as text and imports that.

Rows of such a table repeat few values, some of them long. A page says each value of a column once, and rows as places
in those lists; the browser puts them together before the table sees them.
"""

import json
import re
from pathlib import Path

import itables
from itables.utils import find_package_file
from sphinx.application import Sphinx

NAME = f"_itables_{itables.__version__.replace('.', '_')}"  # what tables wait for
READY = f"itables-{itables.__version__}-ready"
SCRIPT = """window.{name} = import(URL.createObjectURL(new Blob([{source}], {{ type: "text/javascript" }})));
window.{name}.then((module) => {{
  module.set_or_remove_dark_class();
  window.dispatchEvent(new Event("{ready}"));
}});
"""
ROWS = re.compile(r'(?<="data_json": )"(?:[^"\\]|\\.)*"')  # text in JavaScript of text in JSON
UNPACK = "JSON.stringify((([lists, rows]) => rows.map((row) => row.map((place, at) => lists[at][place])))({packed}))"


def pack(rows: list[list]) -> tuple[list[list], list[list[int]]]:
    """Return the values of each column in the order of their first rows, and rows as places in those lists."""
    known: list[dict[str, int]] = [{} for _ in rows[0]]  # by JSON, since a value may be a list
    places = [
        [seen.setdefault(json.dumps(value), len(seen)) for seen, value in zip(known, row, strict=True)] for row in rows
    ]
    return [[json.loads(text) for text in seen] for seen in known], places


def _packed(found: re.Match[str]) -> str:
    rows = json.loads(json.loads(found[0]))
    if not rows:
        return found[0]
    text = json.dumps(pack(rows), separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")  # ends no script
    return UNPACK.format(packed=text)


def _load(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    if NAME in context.get("body", ""):
        context["body"] = ROWS.sub(_packed, context["body"])
        app.add_js_file("itables/tables.js")
        app.add_css_file("itables/tables.css")


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        source, target = Path(find_package_file("html/dt_bundle.js")), Path(app.outdir, "_static", "itables")
        target.mkdir(parents=True, exist_ok=True)
        script = SCRIPT.format(name=NAME, ready=READY, source=json.dumps(source.read_text("utf-8")))
        (target / "tables.js").write_text(script, encoding="utf-8")
        (target / "tables.css").write_text(source.with_suffix(".css").read_text("utf-8"), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", _load)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
