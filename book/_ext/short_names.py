"""What the API pages show: public names by their short path, and no filler.

The pages document ``fd2lib.models.Teacher``; an annotation refers to where the class is written,
``fd2lib.models.teacher.Teacher``. Links drop the module in between.
"""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def _shorten(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    parts = str(node.get("reftarget", "")).split(".")
    if node.get("refdomain") != "py" or parts[0] != "fd2lib":
        return None
    if parts[-1].isupper():
        return content  # constants have no entry of their own
    if len(parts) < 4:
        return None
    short = ".".join([*parts[:2], *parts[3:]])
    # "obj" finds a name whatever it is. One that is not public stays plain text: no docstring spells out a module,
    # so this hides no broken link of ours.
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", short, node, content) or content


def _skip(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Leave out the fields of named tuples: the signature lists them, and Python's text for them says nothing."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def _trim(app: Sphinx, what: str, name: str, member: object, options: object, lines: list[str]) -> None:
    """Drop a room's own docstring: its page introduces it."""
    if what == "module":
        lines.clear()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("missing-reference", _shorten)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
