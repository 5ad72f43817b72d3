"""Links to the repository, as soon as ``_config.yml`` has its address under ``repository: url``; without one, none.

With an address each page links to its source and to a form for feedback, and each notebook can be opened on a server
that installs environment.yml. A page of a notebook was built from what papermill wrote, which is not in the
repository, so its links lead to the notebook that papermill ran.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

BUTTONS = {"use_repository_button": True, "use_issues_button": True, "use_source_button": True}
LAUNCH = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
EXECUTED, SOURCE = "book/executed/", "notebooks/"


def _use(app: Sphinx, config: Config) -> None:
    if config.html_theme_options.get("repository_url"):
        config.html_theme_options.update(BUTTONS, launch_buttons=LAUNCH)


def _lead_to_source(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    for button in context.get("header_buttons", []):
        for link in [button, *button.get("buttons", [])]:
            if "://" in str(link.get("url")):
                link["url"] = link["url"].replace(EXECUTED, SOURCE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", _use)
    app.connect("html-page-context", _lead_to_source, priority=900)  # after the theme has made the buttons
    return {"parallel_read_safe": True, "parallel_write_safe": True}
