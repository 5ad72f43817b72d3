"""Pages that need no network and load only what they use.

MathJax comes in parts out of an installed package (whose own Sphinx extension would pick the build with everything and
copy all 24 MB), and only to pages with a formula. Jupyter Book always adds Thebe, which would fetch its scripts from a
server when asked for a kernel; the book has no use for it. The theme draws icons twice, by a web font and by a script
of 1.5 MB, and loads the search index on every page: the script goes, and the index stays on the page of the search.
"""

import re
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

# What a formula needs, without the context menu: MathJax's loader finds the parts beside startup.js.
PARTS = ["core.js", "input/tex.js", "output/chtml.js", "output/chtml/fonts/tex.js", "a11y/assistive-mml.js"]
FONTS = "output/chtml/fonts/woff-v2"
UNUSED = re.compile(
    r'\s*<script[^>]*src="[^"]*(?:fontawesome|searchtools|language_data|searchindex)\.js[^>]*></script>'
)


def _use(app: Sphinx, config: Config) -> None:
    config.mathjax_path = "mathjax/startup.js"
    load = [part.removesuffix(".js") for part in PARTS if "fonts" not in part]
    config.mathjax3_config = {"loader": {"load": load}}


def _trim(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    unused = ["thebe"]
    if doctree is None or not any(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        unused.append("mathjax")  # Sphinx loads it for a formula on any page that is listed on this one
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if not any(
            word in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
            for word in unused
        )
    ]
    needed: Callable[[str], str] = lambda head: UNUSED.sub("", head)  # noqa: E731
    context["needed"] = needed  # for _templates/layout.html


def _copy(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        target = Path(app.outdir, "_static", "mathjax")
        package = resources.files("sphinx-mathjax-offline").joinpath("static", "mathjax")
        with resources.as_file(package) as source:
            for part in ["startup.js", *PARTS]:
                (target / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / part, target / part)
            shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", _use)
    app.connect("html-page-context", _trim, priority=900)  # after Thebe has added itself
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
