"""No file is loaded in a way that can run code in it: every call that reads one is held to a rule."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("fd2lib", "examples", "benchmarks", "notebooks")
# Calls that run code found in a file, whatever their arguments.
NEVER = {
    *(f"{module}.{call}" for module in ("pickle", "cloudpickle", "dill", "joblib") for call in ("load", "loads")),
    *("pickle.Unpickler", "shelve.open", "marshal.load", "marshal.loads", "pandas.read_pickle", "torch.jit.load"),
    *("torch.hub.load", "torch.package.PackageImporter", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("shutil.unpack_archive", "eval", "exec"),
}


def names_of(tree: ast.AST) -> dict[str, str]:
    """What imported names stand for, as ``np`` for numpy and ``load`` for ``torch.load``."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom):
            known |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return known


def called(call: ast.Call, known: dict[str, str]) -> str:
    """The whole name of what is called, as far as it can be read."""
    first, dot, rest = ast.unparse(call.func).partition(".")
    return known.get(first, first) + dot + rest


def faults(code: str) -> Iterator[str]:
    """What breaks the rule in a piece of code."""
    tree = ast.parse(code)
    known = names_of(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, given = called(node, known), {one.arg: ast.unparse(one.value) for one in node.keywords}
        wrong = {
            "torch.load": given.get("weights_only") != "True",
            "numpy.load": given.get("allow_pickle", "False") != "False" or len(node.args) > 2 or None in given,
        }
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("extract", "extractall"):
            wrong[name] = given.get("filter") != "'data'"
        if wrong.get(name, name in NEVER):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def pieces() -> Iterator[tuple[str, str]]:
    """Every file of code, and every notebook's cells, by name."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            yield str(path.relative_to(ROOT)), "\n".join(code)


def test_no_file_is_loaded_in_a_way_that_can_run_code() -> None:
    assert {name: wrong for name, code in pieces() if (wrong := list(faults(code)))} == {}


def test_the_rule_sees_the_calls_that_there_are() -> None:
    """Or it would hold for nothing."""
    seen: set[str] = set()
    for tree in (ast.parse(code) for _, code in pieces()):
        known = names_of(tree)
        seen |= {called(node, known) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert {"torch.load", "numpy.load", "archive.extractall"} <= seen


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load('x')",
        "import torch as t\nt.load('x', weights_only=False)",
        "from torch import load\nload('x')",
        "from torch import load as read\nread('x', weights_only=flag)",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy\nnumpy.load('x', None, True)",
        "import numpy as np\nnp.load('x', **options)",
        "import pickle\npickle.load(stream)",
        "from pickle import loads as read\nread(raw)",
        "import pandas as pd\npd.read_pickle('x')",
        "import tarfile\nwith tarfile.open('x') as one:\n    one.extractall('y')",
        "one.extract('y', filter='fully_trusted')",
        "eval(text)",
    ],
)
def test_the_rule_refuses(code: str) -> None:
    assert list(faults(code))


@pytest.mark.parametrize(
    "code",
    ["import torch\ntorch.load('x', weights_only=True)", "import numpy as np\nnp.load('x', mmap_mode='r')",
     "one.extractall('y', filter='data')", "network.eval()"],
)  # fmt: skip
def test_the_rule_lets_through(code: str) -> None:
    assert not list(faults(code))
