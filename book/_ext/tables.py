"""Tables without an empty head: Markdown has none without a head, and a screen reader would announce nothing."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class DropEmptyHeads(SphinxTransform):
    """Removes the head of each table whose head has no words."""

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Change the document."""
        for head in list(self.document.findall(nodes.thead)):
            if not head.astext().strip():
                head.parent.remove(head)


def setup(app: Sphinx) -> dict[str, bool | int]:
    """Register with Sphinx."""
    app.add_transform(DropEmptyHeads)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
