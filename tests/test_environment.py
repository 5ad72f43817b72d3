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
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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


# Workflow files and pre-commit settings; `make lint` checks the workflows' form


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def commands(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


def python_of(job):
    (version,) = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    return version


def test_oldest_and_newest_versions_are_those_that_are_promised():
    jobs = workflow("tests")["jobs"]
    pythons = [text.split(" :: ")[-1] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert f">={python_of(jobs['oldest'])}" == PROJECT["requires-python"] and python_of(jobs["oldest"]) == pythons[0]
    assert python_of(jobs["newest"]) == pythons[-1]
    # The lowest version of each range, so that no second list of versions has to agree with pyproject.toml.
    (extras,) = re.findall(r"--resolution lowest-direct .*--editable \"\.\[(.*)\]\"", commands(jobs["oldest"]))
    assert set(extras.split(",")) == set(PROJECT["optional-dependencies"])
    for needed in RANGES:
        assert any(part.operator in (">=", "==") for part in needed.specifier), f"{needed.name} has no lower end"
    assert "make test" in commands(jobs["newest"]) and "make book" in commands(workflow("book")["jobs"]["build"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_do_little_and_use_what_was_reviewed(path):
    told = workflow(path.stem)
    assert told["permissions"] == {"contents": "read"} and told["concurrency"]["group"]
    for name, job in told["jobs"].items():
        extra = {"pages": "write", "id-token": "write"} if name == "publish" else None
        assert job.get("permissions") == extra and job["timeout-minutes"]
        for action in (step["uses"] for step in job["steps"] if "uses" in step):
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), f"{action}: name a full commit"


def test_pre_commit_runs_the_checks_of_make_lint():
    (told,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    lint = re.search(r"^lint:.*?\n\n", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M | re.S)[0]
    assert told["repo"] == "local" and len(told["hooks"]) == 4
    for hook in told["hooks"]:
        command = hook["entry"].removeprefix(".venv/bin/python ").removesuffix(" --force-exclude")
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/python -m ")
        assert all(word in lint for word in command.split())
