"""requirements.txt is the one list of versions; environment.yml and pyproject.toml agree with it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if line[:1] not in ("", "#")]
PINS = {canonicalize_name(r.name): r for r in (Requirement(line.split("#")[0]) for line in LINES)}
RANGES = [Requirement(text) for text in PROJECT["dependencies"]]
RANGES += [Requirement(text) for extra in PROJECT["optional-dependencies"].values() for text in extra]


@pytest.mark.parametrize("line", LINES)
def test_each_version_is_pinned_and_says_why(line):
    requirement, _, why = line.partition("#")
    assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*\s+", requirement), "expected name==version"
    assert why.strip(), "expected a comment that says what it is for"


def test_conda_installs_the_same_list_in_one_call():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.txt", "-e ."]
    assert {Requirement(entry).name for entry in conda} == {"python", "pip"}, "versions belong into requirements.txt"
    (python,) = [Requirement(entry) for entry in conda if entry.startswith("python")]
    for version in ("3.11.0", "3.12.4"):
        assert version in python.specifier and version in SpecifierSet(PROJECT["requires-python"])
    assert "3.10.14" not in python.specifier and "3.10.14" not in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("needed", RANGES, ids=lambda r: r.name)
def test_ranges_hold_the_pinned_version(needed):
    pin = PINS.get(canonicalize_name(needed.name))
    assert pin is not None, f"{needed.name} is in pyproject.toml and not in requirements.txt"
    (version,) = [specifier.version for specifier in pin.specifier]
    assert needed.specifier.contains(version, prereleases=True)


@pytest.mark.parametrize(("name", "version"), [("torch", "2.11.0"), ("torchvision", "0.26.0"), ("torch", "2.15.0")])
def test_older_pytorch_is_allowed(name, version):
    (needed,) = [r for r in RANGES if r.name == name]
    assert version in needed.specifier


def test_make_and_environment_use_the_list():
    assert "-r requirements.txt -e ." in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_jupyter_book_stays_at_version_one():
    assert str(PINS["jupyter-book"].specifier) == "==1.0.4.post1"
