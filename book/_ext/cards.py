"""The cards of all registered image sets, as sections of the page that holds a ``data-cards`` directive."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from fd2lib.data import format_card, list_datasets
from fd2lib.data.registry import get_reader


class DataCards(SphinxDirective):
    """Renders one card after the other, as sections of second level."""

    def run(self) -> list[nodes.Node]:
        """Add the sections to the page's own, which is where MyST puts headings; nothing is left to insert."""
        for name in list_datasets():
            file = get_reader(name).file
            self.env.note_dependency(file)  # a changed card makes the page again
            lines = StringList(f"#{format_card(name)}".splitlines(), source=file)
            self.state.nested_parse(lines, 0, nodes.Element(), match_titles=True)
        return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("data-cards", DataCards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
