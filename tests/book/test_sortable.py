"""The build takes the script of sortable tables out of the installed package, for the pages that have one."""

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

itables = pytest.importorskip("itables")
pytest.importorskip("sphinx")


@pytest.fixture
def extension():
    path = Path(__file__).parents[2] / "book" / "_ext" / "sortable.py"
    spec = importlib.util.spec_from_file_location("sortable_extension", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def app(tmp_path):
    added = []
    app = SimpleNamespace(outdir=str(tmp_path), builder=SimpleNamespace(format="html"), added=added)
    app.add_js_file = app.add_css_file = added.append
    return app


def test_only_pages_with_a_table_load_it(extension, app):
    import pandas as pd

    extension._load(app, "page", "page.html", {"body": "<p>no table</p>"}, None)
    extension._load(app, "page", "page.html", {}, None)
    assert app.added == []
    table = itables.to_html_datatable(pd.DataFrame({"a": [1]}), connected=False, table_id="one")
    extension._load(app, "page", "page.html", {"body": table}, None)
    assert app.added == ["itables/tables.js", "itables/tables.css"]
    assert extension.READY in table  # the event that tables wait for


def test_script_and_style_are_the_package_s(extension, app, tmp_path):
    extension._write(app, ValueError("the build failed"))
    assert not list(tmp_path.iterdir())
    extension._write(app, None)
    script = (tmp_path / "_static" / "itables" / "tables.js").read_text("utf-8")
    (module,) = re.findall(r"new Blob\(\[(\".*\")\], \{ type", script)
    folder = Path(itables.__file__).parent / "html"
    assert json.loads(module) == (folder / "dt_bundle.js").read_text("utf-8")
    assert (tmp_path / "_static" / "itables" / "tables.css").read_text("utf-8") == (folder / "dt_bundle.css").read_text(
        "utf-8"
    )
    assert not re.findall(r"\bimport\s*\(?\s*[\"']https?:", script)
