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


def test_a_page_says_each_value_of_a_column_once(extension, app):
    import pandas as pd

    rows = [['a long word </script> "quoted" é', 0.5, None], ["another", 0.25, "x"]] * 200
    table = itables.to_html_datatable(
        pd.DataFrame(rows, columns=list("abc")), connected=False, maxBytes=0, table_id="one", showIndex=False
    )
    context = {"body": table}
    extension._load(app, "page", "page.html", context, None)
    (packed,) = re.findall(r'"data_json": JSON\.stringify\(.*?\)\)\)\((\[.*\])\)\),\n', context["body"])
    assert "</" not in packed and packed.count("long word") == 1
    lists, places = json.loads(packed.replace("<\\/", "</"))
    (before,) = re.findall(r'"data_json": (".*"),\n', table)
    assert [[lists[at][place] for at, place in enumerate(row)] for row in places] == json.loads(json.loads(before))
    assert len(packed) < 12 * len(rows), "bytes a row of three columns"


def test_a_table_without_rows_stays_as_it_is(extension, app):
    context = {"body": f'{extension.NAME} "data_json": "[]",'}
    extension._load(app, "page", "page.html", context, None)
    assert context["body"] == f'{extension.NAME} "data_json": "[]",'


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
