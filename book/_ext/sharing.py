"""What other sites show of a page that somebody shares: its title and its first paragraph."""

import html

from docutils import nodes
from sphinx.application import Sphinx

LENGTH = 200  # characters; longer descriptions are cut by whoever shows them


def describe(doctree: nodes.document) -> str:
    """The first paragraph of text that says something, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        words = " ".join(paragraph.astext().split())
        if len(words) > 40 and not isinstance(paragraph.parent, nodes.footnote | nodes.caption):
            return words if len(words) <= LENGTH else words[:LENGTH].rsplit(" ", 1)[0].rstrip(",;:–") + " …"
    return ""


def _add(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    if doctree is None:
        return
    title = " ".join(app.env.titles[page].astext().split())
    given = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title}
    description = describe(doctree)
    if description:
        given["og:description"] = description
        context["metatags"] += f'\n<meta name="description" content="{html.escape(description)}" />'
    if app.config.html_baseurl:
        given["og:url"] = f"{app.config.html_baseurl.rstrip('/')}/{page}.html"
    for name, value in given.items():
        context["metatags"] += f'\n<meta property="{name}" content="{html.escape(value)}" />'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
