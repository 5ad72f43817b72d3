"""The script of a user: under twenty lines, public names only, and labels that belong to its own batch."""

import ast
import importlib
import runpy
import sys
from pathlib import Path

import pytest
import torch

from fd2lib.models import Teacher
from fd2lib.stages import soft_labels

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "from_a_script.py"
SOURCE = SCRIPT.read_text(encoding="utf-8")
TINY = ["pretrain.epochs=1", "distill.iterations=2"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The script's names after it ran in an empty folder, and that folder."""
    folder = tmp_path_factory.mktemp("script")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(SCRIPT), *TINY])
        return runpy.run_path(str(SCRIPT)), folder


def test_it_is_under_twenty_lines_of_code():
    body = ast.parse(SOURCE).body[1:]  # without the docstring
    lines = {number for node in body for number in range(node.lineno, node.end_lineno + 1)}
    assert len(lines) < 20


def test_it_uses_public_names_only():
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fd2lib"):
            assert node.module.count(".") == 1, f"{node.module} is inside a room"
            room = importlib.import_module(node.module)
            assert all(hasattr(room, alias.name) and not alias.name.startswith("_") for alias in node.names)


def test_its_labels_are_the_teachers_answers_to_its_batch(ran):
    names, folder = ran
    batch, labels = names["batch"], names["labels"]
    assert batch.shape == (24, 3, 48, 48) and labels.shape == (24, 8)
    assert batch.min() >= 0 and batch.max() <= 1 + 1e-6
    teacher = Teacher.load(folder / names["trained"].folder)
    torch.testing.assert_close(soft_labels(teacher, batch), labels)
    assert not torch.allclose(soft_labels(teacher, batch.flip(3)), labels)
    assert {path.name for path in (folder / "runs").iterdir()} == {"pretrain", "distill"}


def test_the_page_shows_the_whole_script_and_its_commands():
    page = (ROOT / "book" / "from_a_script.md").read_text(encoding="utf-8")
    assert "```{literalinclude} ../examples/from_a_script.py" in page
    assert "python examples/from_a_script.py" in page
    assert "`soft_labels`" in page
