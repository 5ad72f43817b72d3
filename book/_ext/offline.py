"""Pages that need no network.

MathJax comes as its one-file SVG build, which needs no fonts, out of an installed package (whose own Sphinx extension
would pick the build with web fonts and copy all 24 MB). Jupyter Book always adds Thebe, which would fetch its scripts
from a server when asked for a kernel; the book has no use for it, so it is taken out.
"""

import shutil
from importlib import resources
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

SCRIPT = "tex-svg-full.js"


def _use(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"


def _without_thebe(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
    ]


def _copy(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        target = Path(app.outdir, "_static", "mathjax", SCRIPT)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = resources.files("sphinx-mathjax-offline").joinpath("static", "mathjax", SCRIPT)
        with resources.as_file(source) as path:
            shutil.copyfile(path, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", _use)
    app.connect("html-page-context", _without_thebe, priority=900)  # after Thebe has added itself
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
