"""Let type annotations link to the documented, short path of a name.

The API pages document ``fd2lib.models.Teacher``; an annotation refers to where the class is written,
``fd2lib.models.teacher.Teacher``. This drops the module in between.
"""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def _shorten(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    parts = str(node.get("reftarget", "")).split(".")
    if node.get("refdomain") != "py" or len(parts) < 4 or parts[0] != "fd2lib":
        return None
    short = ".".join([*parts[:2], *parts[3:]])
    # "obj" finds a name whatever it is. One that is not public stays plain text: no docstring spells out a module,
    # so this hides no broken link of ours.
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", short, node, content) or content


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("missing-reference", _shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
