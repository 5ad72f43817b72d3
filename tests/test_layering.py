"""Rooms import only themselves and rooms above them; stages meet through files, not through imports."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fd2lib
import fd2lib.drive
import fd2lib.show

PACKAGE = Path(fd2lib.__file__).parent
ROOMS = ("ground", "data", "models", "losses", "views", "record", "stages", "measure", "analyse", "show", "drive")
# Tighter than the order: objectives and views take tensors, whatever network made them.
ONLY = {"losses": {"ground", "data"}, "views": {"ground", "data"}}
STAGES = ("pretrain", "distill", "relabel", "evaluate")


def imported_modules(source: str, package: str) -> set[str]:
    """Absolute dotted names of fd2lib that ``source``, a module of ``package``, imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "fd2lib"}


def rooms_of(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.count(".") >= 1 and name.split(".")[1] in ROOMS}


def modules_of(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def package_of(path: Path) -> str:
    return ".".join(["fd2lib", *path.parent.relative_to(PACKAGE).parts])


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_upward_only(room):
    assert modules_of(room), f"room {room} has no modules"
    allowed = {room} | ONLY.get(room, set(ROOMS[: ROOMS.index(room)]))
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {', '.join(sorted(extra))}"
        for path in modules_of(room)
        if (extra := rooms_of(imported_modules(path.read_text(encoding="utf-8"), package_of(path))) - allowed)
    ]
    assert not wrong, f"allowed for {room}: {', '.join(sorted(allowed))}; but {'; '.join(wrong)}"


def test_every_folder_is_a_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_each_other(stage):
    path = PACKAGE / "stages" / f"{stage}.py"
    modules = imported_modules(path.read_text(encoding="utf-8"), "fd2lib.stages")
    others = {f"fd2lib.stages.{other}" for other in STAGES if other != stage}
    assert not {m for m in modules if any(m == o or m.startswith(f"{o}.") for o in others)}


def test_the_top_imports_nothing():
    assert not imported_modules((PACKAGE / "__init__.py").read_text(encoding="utf-8"), "fd2lib")


def test_walker_sees_every_form_of_import():
    source = "import fd2lib.data\nfrom fd2lib import models\nfrom ..losses import x\ndef f():\n    import fd2lib.show.a"
    assert rooms_of(imported_modules(source, "fd2lib.ground")) == {"data", "models", "losses", "show"}


# Rooms whose modules of one name mirror each other: a stage and its loss; studies as requests and as results.
MIRRORS = {"pretrain": {"losses", "stages"}, "studies": {"analyse", "drive"}}


def test_modules_of_different_rooms_have_different_names_unless_they_mirror_each_other():
    rooms: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in modules_of(room):
            if path.stem != "__init__":
                rooms.setdefault(path.stem, set()).add(room)
    assert {name: where for name, where in rooms.items() if len(where) > 1} == MIRRORS


@pytest.mark.parametrize("room", ROOMS)
def test_modules_of_a_room_do_not_import_in_a_circle(room):
    """Not even for their types: what two modules need of each other belongs into one, or into a third."""
    imports = {}
    for path in modules_of(room):
        name = ".".join(["fd2lib", *path.relative_to(PACKAGE).with_suffix("").parts])
        found = imported_modules(path.read_text(encoding="utf-8"), package_of(path))
        imports[name] = {other for other in found if other.startswith(f"fd2lib.{room}.")}
    names = set(imports)
    edges = {name: {one for one in names for other in found if other == one or other.startswith(f"{one}.")} - {name}
             for name, found in imports.items()}  # fmt: skip
    while free := [name for name, needed in edges.items() if not needed & edges.keys()]:
        for name in free:
            del edges[name]
    assert not edges, f"a circle among {sorted(edges)}"


def test_the_room_of_figures_offers_at_most_eighty_names():
    names = [name for name in dir(fd2lib.show) if name[0] != "_"]
    offered = [name for name in names if not isinstance(getattr(fd2lib.show, name), ModuleType)]
    assert 40 < len(offered) <= 80


def test_a_door_opens_at_first_use_to_what_bears_the_name():
    """Also where a module bears it too, whichever way the module was imported first."""
    importlib.import_module("fd2lib.show.explorer")
    assert callable(fd2lib.show.explorer) and fd2lib.show.explorer.__name__ == "explorer"
    assert "run_grid" in dir(fd2lib.drive) and fd2lib.drive.run_grid.__module__ == "fd2lib.drive.runs"
    names: dict[str, object] = {}
    exec("from fd2lib.drive import *", names)
    assert {"run_grid", "Experiment"} <= names.keys() and "doors" not in names
    with pytest.raises(AttributeError, match=r"'fd2lib\.drive' has no attribute 'Experimemt'"):
        fd2lib.drive.Experimemt  # noqa: B018


def test_pages_that_run_nothing_import_no_pytorch():
    """It and timm take five seconds of a core, for each page and each test of a page."""
    imports, names = set(), set()
    for path in sorted((PACKAGE.parent / "notebooks").glob("*.ipynb")):
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        code = "\n".join("".join(cell["source"]) for cell in cells)
        if "runs_dir = " not in code:
            imports |= set(re.findall(r"^(?:from|import) .*", code, re.MULTILINE))
            names |= set(re.findall(rf"\b(?:{'|'.join(ROOMS)})\.[a-zA-Z_]+", code))
    assert "from fd2lib import analyse, show" in imports and "show.file_provenance" in names
    program = "\n".join([*sorted(imports), "import sys", *sorted(names), "import fd2lib.drive.jobs"])
    program += "\nshow.file_provenance({})\nprint({'torch', 'torchvision', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
