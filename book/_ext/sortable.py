"""Tables that readers sort and filter, without a network.

The package ``itables`` would have its script of 600 kB written into each notebook, or fetched from a server. Here the
build takes script and style out of the installed package, once for all pages, and only pages with such a table load
them. A module cannot be imported from a file on disk, so the script carries it as text and imports that.
"""

import json
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


def _load(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    if NAME in context.get("body", ""):
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
