"""Pages that answer first: the machinery is folded away under the page's last heading.

A page with a cell tagged ``below`` is such a page. Its cells with that tag, and those that papermill injected, move
whole into one fold at the end; of every other cell only the code does, and what it shows stays where it is. Within the
fold everything keeps the order in which it ran. Other pages stay as they were written.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxTranslator

TAG = "tag_below"
WHOLE = {TAG, "tag_injected-parameters"}  # classes that MyST-NB makes of a cell's tags
SUMMARY = "Code, checks and provenance"


class Fold(nodes.General, nodes.Element):
    """A disclosure that the reader opens; its ``summary`` says what is inside."""


class MoveBelow(SphinxTransform):
    """Moves cells before figures are numbered and names collected, so that both follow the order on the page."""

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Change the document, if it has a cell with the tag and a section to end with."""
        cells = [node for node in self.document.findall(nodes.container) if node.get("nb_element") == "cell_code"]
        sections = list(self.document.findall(nodes.section))
        if sections and any(TAG in cell["classes"] for cell in cells):
            fold = Fold(summary=SUMMARY, classes=["below"])
            for cell in cells:
                fold += _machinery(cell)
            sections[-1] += fold


def _machinery(cell: nodes.container) -> list[nodes.Node]:
    """Take out of the page what belongs below: the cell, or a cell with its code alone."""
    if WHOLE & set(cell["classes"]):
        cell.parent.remove(cell)
        return [cell]
    code = [child for child in cell if isinstance(child, nodes.Element) and "cell_input" in child["classes"]]
    if not code:
        return []
    moved = cell.copy()  # without what is in it
    for child in code:
        cell.remove(child)
        moved += child
    if not cell.children:
        cell.parent.remove(cell)
    return [moved]


def _open(self: SphinxTranslator, node: Fold) -> None:
    self.body.append(self.starttag(node, "details") + f"<summary>{self.encode(node['summary'])}</summary>\n")


def _close(self: SphinxTranslator, node: Fold) -> None:
    self.body.append("</details>\n")


def _nothing(self: SphinxTranslator, node: Fold) -> None:
    """Other builders show the contents as they are."""


def setup(app: Sphinx) -> dict[str, bool | int]:
    """Register with Sphinx."""
    plain = (_nothing, _nothing)
    app.add_node(Fold, html=(_open, _close), latex=plain, text=plain)
    app.add_transform(MoveBelow)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
