"""Several hundred bad inputs: each ends in one line and status 2, before anything is computed.

Where FD2LIB_BAD_INPUT names a file, the counts of every kind are written there, as results/bad_input.csv has them.
"""

import contextlib
import csv
import dataclasses
import functools
import io
import os
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fd2lib.drive import Experiment, experiment, load_plan
from fd2lib.drive.cli import main
from fd2lib.drive.notebooks import parse_parameters
from fd2lib.drive.recipe_text import parse_recipe
from fd2lib.ground import (
    Fd2Error,
    SettingError,
    add_recipes,
    fitting_option,
    load_recipe,
    parse_numbers,
    parse_overrides,
)
from fd2lib.ground.by_stage import STAGES
from fd2lib.ground.layers import CALLERS
from fd2lib.ground.settings import GeneralSettings
from fd2lib.ground.typed import parse_phases

RESULTS = Path(__file__).parents[2] / "results" / "bad_input.csv"
COLUMNS = ("kind", "tried", "one line", "status 2")
HUGE = "9" * 30
counted: dict[str, Counter] = {}


class Computed(Exception):
    """Something would have been computed."""


@pytest.fixture(autouse=True, scope="module")
def counts():
    """Write the counts of this module's kinds where that is asked for."""
    yield
    if target := os.environ.get("FD2LIB_BAD_INPUT"):
        with open(target, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([kind, *(count[name] for name in COLUMNS[1:])] for kind, count in counted.items())


loaded_once = functools.cache(experiment.load_dataset)  # images take seconds to draw


@pytest.fixture(autouse=True)
def nothing_is_computed(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise Computed

    monkeypatch.setattr(experiment, "run_or_load", refuse)
    monkeypatch.setattr(experiment, "load_dataset", loaded_once)
    monkeypatch.chdir(tmp_path)


def refused(kind, call, *words):
    """Require that a call ends in one line and as bad input, and count it."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            status = call()
        except Fd2Error as told:
            status = told.exit_status
            error.write(f"fd2lib: {told}\n")
    lines = [line for line in error.getvalue().splitlines() if line.startswith("fd2lib:")]
    said = error.getvalue()
    assert status == 2, f"{status}: {said}"
    assert len(lines) == 1 and "Traceback" not in said and len(lines[0]) < 3000, said
    assert all(word in lines[0] for word in words), f"{words}: {lines[0]}"
    counted.setdefault(kind, Counter()).update(dict.fromkeys(COLUMNS[1:], 1))


def command(*words):
    return lambda: main([*words])


def run(*words):
    """A command of tiny work, of which the last words are wrong."""
    return command("run", "--scale", "toy", "--methods", "random", "--ipc", "1", "--seeds", "0", "--device", "cpu",
                   "--classes", "2", "--no-page", "--quiet", *words)  # fmt: skip


# What each setting is declared to be gives what it is not.
def wrong_values(field):
    about = field.metadata
    if field.type is bool:
        return ["2", "yes", '""']
    if about["choices"]:
        return [f"{about['choices'][0]}x", "-1", '""', "true"]
    if field.type is str:
        return ["3", "true", "1.5"]
    wrong = [
        "nan",
        "inf",
        "-inf",
        "many",
        '"1"',
        "true",
        "1_0x",
        f"-{HUGE}",
        HUGE + ".0" if field.type is float else HUGE,
    ]
    return wrong + (["1.5", "1e3"] if field.type is int else ["1e30"]) + (["-1"] if about["low"] is not None else [])


DECLARED = {
    f"{stage}.{field.name}": field
    for stage, kind in {"general": GeneralSettings, **STAGES}.items()
    for field in dataclasses.fields(kind)
}
VALUES = [(key, value) for key, field in DECLARED.items() if key not in CALLERS for value in wrong_values(field)]


@pytest.mark.parametrize("key", dict.fromkeys(key for key, _ in VALUES))
def test_a_setting_takes_only_what_it_is_declared_to_be(key):
    for value in (value for name, value in VALUES if name == key):
        text = f"{key}={value}"
        refused("settings", lambda text=text: load_recipe(
            "toy", dataset="plumage", method="sre2lpp_fd2", overrides=text), key.split(".")[1])  # fmt: skip


def test_every_number_has_bounds_and_its_default_lies_within():
    for key, field in DECLARED.items():
        if field.type in (int, float) and field.default is not dataclasses.MISSING:
            load_recipe("paper", dataset="cub200", method="sre2lpp_fd2")
            assert field.metadata["low"] is not None or field.metadata["choices"], key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("relabel.epochs=3 # few", ["'#'", "stage.setting=value"]),
        ("relabel.epochs", ["relabel.epochs"]),
        ("=3", ["=3"]),
        ("epochs=3", ["epochs=3"]),
        ("relabel.epoch=3", ["Did you mean 'relabel.epochs'"]),
        ("RELABEL.epochs=3", ["RELABEL.epochs"]),
        ("squeeze.epochs=3", ["squeeze.epochs"]),
        ("relabel..epochs=3", ["relabel..epochs"]),
        ("relabel.epochs=[3]", ["[3]", "expected int"]),
        ("relabel.epochs={a=3}", ["expected int"]),
        ("relabel.epochs=2020-01-01", ["expected int"]),
        (f"relabel.epochs={'[' * 5000}", ["expected int"]),
        (f"relabel.epochs={'9' * 5000}", ["expected int"]),
        ("relabel.epochs==3", ["expected int"]),
        ("general.threads=0", ["general.threads is 0"]),
        ("general.seed_steps=1", ["Did you mean 'seed_step'"]),
        ("distill.ipc=3", ["give ipc instead"]),
        ("pretrain.seed=3", ["give seed instead"]),
        ("distill.phases=3", ["3", "expected str"]),
        ("distill.phases=1@0", ["1@0", "share@pixels"]),
        ("distill.phases=0@1", ["0@1"]),
        ("distill.phases=1@", ["1@"]),
        ("distill.phases=@32", ["@32"]),
        ("distill.phases=1@32,2@40", ["2@40"]),
        ("distill.phases=1@100000", ["2048"]),
        ("distill.phases=1@١", ["share@pixels"]),
        ('distill.phases="  "', ["share@pixels"]),
        ("distill.phases=1@32 distill.optimised=unattended", ["optimised"]),
        ("distill.start=all", ["all", "expected 0"]),
        ("distill.shift=2049", ["2048"]),
        ("pretrain.momentum=1", ["less than 1"]),
        ("pretrain.momentum=1.0000001", ["less than 1"]),
        ("pretrain.batch_size=1", ["pretrain.batch_size is 1"]),
        ("evaluate.temperature=0", ["evaluate.temperature is 0"]),
        ("distill.similarity_weight=1e30", ["1e+30", "1e+06"]),
        ("relabel.bits=9", ["9", "16, 8"]),
        ("distill.seed=99999999999999999999", ["distill.seed"]),
        ("general.student_seed_offset=9223372036854775807 ", ["seed"]),
    ],
)  # fmt: skip
def test_overrides_that_say_nothing_of_use(text, words):
    refused("overrides", lambda: load_recipe(
        "toy", dataset="plumage", method="sre2lpp_fd2", seed=1, overrides=text), *words)  # fmt: skip


def test_all_overrides_count_whatever_white_space_is_between():
    expected = {"relabel.epochs": 3, "distill.iterations": 2, "evaluate.test_every": 1}
    for blank in ("\n", "\r\n", "\t", " , ", ",\n", "\u00a0", "\v"):
        assert parse_overrides(blank.join(f"{key}={value}" for key, value in expected.items())) == expected
    refused("overrides", lambda: parse_overrides("relabel.epochs=3\n# a word\ndistill.iterations=2"), "'#'")


@pytest.mark.parametrize("option", ["seeds", "ipc"])
@pytest.mark.parametrize(
    "text",
    [" ", ",", "1,", ",1", "1,,2", "1 2", "1;2", "one", "1.5", "1e3", "1_0", "0x1", "１", "-", "nan", "True", "[1]",
     "0,0", "1, 01", "3,1,3", HUGE, f"1,{HUGE}", "9" * 5000],
)  # fmt: skip
def test_lists_of_numbers(option, text):
    refused("lists of numbers", run(f"--{option}", text), option)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "-1"], "seed"), (["--ipc", "-1"], "ipc"), (["--ipc", "0"], "ipc is 0"),
        (["--ipc", "100000000000"], "distill.ipc"), (["--seeds", "9223372036854775808"], "seeds"),
        (["--ipc", "1,61"], "61"),
    ],
)  # fmt: skip
def test_numbers_out_of_range(words, said):
    refused("lists of numbers", run(*words), said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--methods", ""], "name at least one"), (["--methods", ","], "name at least one"),
        (["--methods", "randon"], "Did you mean 'random'"), (["--methods", "random;rded"], "random;rded"),
        (["--methods", "random,random"], "twice"), (["--methods", "all"], "'all'"),
        (["--starts", ""], "name at least one"), (["--starts", "hole"], "Did you mean 'whole'"),
        (["--starts", "whole,whole"], "twice"), (["--starts", "whole,middle"], "'middle'"),
        (["--study", "mian"], "Did you mean 'main'"), (["--study", "main:"], "name at least one"),
        (["--study", "main:randon"], "Did you mean 'random'"), (["--study", " "], "name at least one"),
        (["--study", "main main"], "twice"), (["--study", "main:random,random"], "twice"),
        (["--study", ":"], "studies"),
 
        
        (["--dataset", "plumages"], "Did you mean 'plumage'"), (["--dataset", ""], "data set"),
        (["--dataset", "../plumage"], "data set"), (["--backbone", "resnet19"], "resnet18"),
        (["--student", "convnet5"], "convnet4"), (["--backbone", "vit"], "vit"), (["--bundle", "papers"], "'paper'"),
        (["--teacher-kind", "plane"], "'plain'"), (["--label-teacher-kind", "call"], "'cal'"),
        (["--teacher-backbones", "convnet4 convnet5"], "convnet5"), (["--classes", "eagle"], "eagle"),
        (["--classes", "1"], "expected at least 2"), (["--classes", "99"], "99"), (["--classes", "0"], "0"),
        (["--name", " "], "image_set"), (["--name", "a\nb"], "image_set"), (["--name", "x" * 200], "image_set"),
        (["--device", "tpu"], "tpu"), (["--device", "cuda:99"], "cuda:99"), (["--device", ""], "device"),
        (["--scale", "tiny"], "toy, reduced, paper"), (["--scale", ""], "toy, reduced, paper"),
    ],
)  # fmt: skip
def test_names_that_there_are_not(words, said):
    refused("names", run(*words), said)


@pytest.mark.parametrize("option", ["--image-size"])
@pytest.mark.parametrize(
    "value", ["x", "", "1.5", "-3", "2049", "1e2", "1_0", "0x20", "nan", "inf", HUGE, "３２", "32px"]
)
def test_numbers_of_options(option, value):
    refused("options", run(option, value), "image_size")


@pytest.mark.parametrize(
    "words",
    [
        ["attention", "--radius", "nan"], ["attention", "--radius", "inf"], ["attention", "--radius", "-1"],
        ["attention", "--radius", "2"], ["attention", "--radius", "1_0"], ["attention", "--occluded", "-1"],
        ["attention", "--occluded", "1.5"], ["attention", "--seeds", "0,0"], ["geometry", "--ipc", "1"],
        ["geometry", "--ipc", "x"], ["geometry", "--methods", ""], ["geometry", "--methods", "rdedd"],
        ["geometry", "--starts", ""], ["geometry", "--starts", "hole"], ["geometry", "--seeds", ""],
        ["geometry", "--distill-ipc", "2"], ["geometry", "--judge-backbone", "\0"], ["bench", "--cases", ""],
        ["bench", "--cases", "none"], ["bench", "--threads", "0x"], ["bench", "--threads", "-1"],
        ["bench", "--threads", "99999"], ["bench", "--profile", "none"], ["bench", "--device", "tpu"],
        ["export", "a", "b", "--temperature", "nan"], ["export", "a", "b", "--temperature", "-1"],
        ["export", "a", "b", "--temperature", "0"], ["export", "a", "b", "--temperature", "1e999"],
    ],
)  # fmt: skip
def test_values_of_other_commands(words):
    refused("options", command(*words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no command"), (["runn"], "Did you mean 'run'"), ([""], "unknown command"), (["--sed"], "--sed"),
        (["RUN"], "Did you mean 'run'"), (["run", "x"], "one word too many"), (["run", "--sed", "1"], "--seeds"),
        (["run", "--seeds"], "--seeds"), (["run", "--page"], "--no-page"), (["run", "--quiet", "yes"], "yes"),
        (["run", "--method", "random"], "--methods"), (["run", "--datset", "cub200"], "--dataset"),
        (["run", "--out"], "--out"), (["run", "-x"], "-x"), (["run", "--scale"], "--scale"),
        (["recipes", "shw"], "Did you mean 'show'"), (["recipes", "show"], "NAME"),
        (["recipes", "diff", "toy"], "SECOND"),
        (["recipes", "diff"], "FIRST"), (["recipes", "all", "toy"], "toy"),
        (["data", "prep"], "Did you mean 'prepare'"),
        (["data", "--plugin", "none.py"], "none.py"), (["data", "prepare"], "NAME"),
        (["data", "prepare", "cub200"], "--from"), (["export"], "RUN"),
        (["export", "a"], "OUT"), (["export", "a", "b", "c"], "c"), (["rerun"], "FILE"), (["rerun", "a"], "ROW"),
        (["notebook"], "SOURCE"), (["notebook", "a"], "TARGET"), (["notebook", "a", "b", "-p", "x"], "-p"),
        (["notebook", "a", "b", "-p"], "-p"), (["notebook", "a", "b", "-q", "x", "1"], "-q"), (["jobs"], "PLAN"),
        (["jobs", "garden"], "unknown plan"), (["jobs", "answer", "--job", "x"], "give both"),
        (["jobs", "answer", "--out", "x"], "give both"), (["plans", "answer"], "answer"), (["bench", "table"], "table"),
        (["run", "--plan", "answer", "--methods", "random"], "give one of the two"),
        (["run", "--plan", "anwser"], "Did you mean 'answer'"), (["run", "--plan", "none.toml"], "none.toml"),
        (["run", "--plan", "."], "'.'"), (["run", "--plan", "answer", "--seeds", "99"], "99"),
        (["run", "--plan", "answer", "--seeds", ","], "seeds"),
    ],
)  # fmt: skip
def test_command_lines(words, said):
    refused("command lines", command(*words), said)


@pytest.mark.parametrize(
    "name",
    ["", "papier", "PAPERS", "toy/", "toy//", "toy/randon", "toy/random/nodataset", "paper/fadrm_fd2/nodataset",
     "toy/random/plumage/nonet", "toy/random/plumage/convnet4/x", "toy@", "toy@papers", "release@paper", "@paper",
     "toy toy",
     "toy\\random", "toy/random@release@paper", "/toy", "paper/sre2lpp/cub200/resnet19"],
)  # fmt: skip
def test_names_of_recipes(name):
    if name in ("toy/", "toy//"):
        assert parse_recipe(name).scale == "toy"  # as people end a path
        return
    refused("names of recipes", command("recipes", "show", name))


PLANS = [
    "", "x", "parts = 3", "parts = []", "parts = [1]", "[parts]\nx = 1", "[[parts]]\nx = 1", 'rows = "student"',
    "rows = []",
    "rows = 3", "file = 3", 'file = ""', "title = 3", 'seed = "1"', 'metods = "random"', "methods = []", "methods = 3",
    'methods = ""', 'ipc = "x"', "ipc = [1]", "ipc = 1.5", "ipc = true", 'seeds = "0,0"', "seeds = {}",
    'scale = "tiny"',
    "scale = 3", 'image_size = "x"', "image_size = 1.5", "image_size = -1", "image_size = true", 'device = "cpu"',
    'data_root = "x"', 'runs_dir = "x"', 'plugin = "x"', 'recipes = "x"', 'overrides = "x"',
    'overrides = "distill.x=1"',
    "[overrides]\nx = 1", 'study = "mian"', 'settings = "a.b=1"\noverrides = "a.b=2"', 'dataset = "none"',
    'rows = "geometry"\nipc = 1', 'rows = "attention"\nradius = nan', 'rows = "attention"\nipc = "1"', "\udcff",
    "a = [" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", PLANS)
def test_files_of_plans(text, tmp_path):
    (tmp_path / "mine.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    if text == "":
        assert load_plan("mine.toml").parts  # all as by default
        return
    refused("files of plans", command("run", "--plan", "mine.toml", "--device", "cpu", "--quiet"))


RECIPES = [
    "x", "x = 1", "toy = 3", "[toy]\nall = 3", "[toy.al.distill]\niterations = 3", "[toy.all.distil]\niterations = 3",
    "[toy.all]\ndistill = 3", "[toy.dataset]\nmine = 3", "[toy.dataset.mine]\ndistill = 3",
    "[paper.piece.x.relable]\nx = 1",
    "methods = 3", "[methods]\nmethod = 3", "[methods.methods.x]\ntitle = 'x'", "[methods.method]\nx = 3",
    "[methods.method.x]\ntitle = 'x'", "[methods.method.x]\npieces = []", "[methods.method.x]\ntitle = 3\npieces = []",
    "[methods.piece]\nx = 3", "[methods.piece.x]\ndistill = 3", "[methods.piece.x.distil]\niterations = 3",
    "[methods.teacher.x]\ntitle = 'x'", "[methods.method.random]\ntitle = 'x'\npieces = []", "studies = 3",
    "[studies]\nx = 3",
    "[studies.x]\ntitle = 'x'", "[studies.x]\ntitle = 'x'\nreference = 'a'",
    "[studies.x]\ntitle = 'x'\nreference = 'a'\narms = 3",
    "[studies.x]\ntitle = 'x'\nreference = 'a'\n[studies.x.arms]\na = 3",
    "[studies.x]\ntitle = 'x'\nreference = 'a'\n[studies.x.arms.a]\nmethod = 'random'",
    "[studies.main]\ntitle = 'x'\nreference = 'a'\n[studies.main.arms.a]\ntitle = 'a'", "bundles = 3",
    "[bundles.x]\nall = 3",
    "[bundles.x]\ntitle = 3", "[bundles.x]\ntitle = 'x'\nall = 3", "plans = 3", "claims = 3", "a = [" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", RECIPES)
def test_files_of_recipes(text, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    refused("files of recipes", lambda: add_recipes(tmp_path / "mine.toml"), "mine.toml")


VALUES_OF_RECIPES = ["iterations = nan", "iterations = 'x'", "iterations = -1", "iteration = 3", "bn_weight = inf",
                     "iterations = {value = [], from = 'x'}", "start = 'hole'"]  # fmt: skip


@pytest.mark.parametrize("text", VALUES_OF_RECIPES)
def test_values_in_files_of_recipes(text, tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text(f"[toy.dataset.plumage.distill]\n{text}")
    try:
        refused("files of recipes", lambda: Experiment(recipes=str(own), method="sre2lpp", device="cpu"))
    finally:
        own.write_text("")
        add_recipes(own)


NOTEBOOK = 'dataset = "plumage"\nipc = 2\nrate = 0.5\nstore = True\nseeds = "0,1"\n'


@pytest.mark.parametrize(
    ("name", "value"),
    [("datasett", "x"), ("Dataset", "x"), ("", "x"), ("ipc", "x"), ("ipc", 1.5), ("ipc", None), ("ipc", True),
     ("ipc", "1_0"),
     ("ipc", []), ("ipc", float("nan")), ("ipc", 10**30), ("ipc", HUGE), ("rate", "x"), ("rate", "nan"),
     ("rate", "inf"),
     ("rate", "1e999"), ("rate", None), ("rate", True), ("store", 1), ("store", "maybe"), ("store", None),
     ("store", ""),
     ("dataset", None), ("dataset", 1.5), ("dataset", True), ("dataset", ["a"]), ("dataset", {}), ("dataset", "a\0b")],
)  # fmt: skip
def test_parameters_of_notebooks(name, value, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK, metadata={"tags": ["parameters"]})])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    refused("parameters of notebooks", lambda: parse_parameters(tmp_path / "a.ipynb", {name: value}))


@pytest.mark.parametrize(
    "fields",
    [dict(scale="tiny"), dict(metod="random"), dict(method=3), dict(ipc="x"), dict(ipc=1.5), dict(ipc=-1),
     dict(seed=-1),
     dict(seed=2**63), dict(seed=None), dict(image_size=True), dict(image_size=4096), dict(classes=None),
     dict(classes=[1]),
     dict(distill_ipc=1, ipc=2), dict(progress=1), dict(overrides={"a.b": 1}), dict(teacher="x"), dict(runs_dir=None),
     dict(teacher="cal", teacher_kind="cal"), dict(data_root="a\0b"), dict(plugin="none.py"), dict(recipes="none.toml"),
     dict(method="sre2lpp_fd2", teacher_kind="plain"), dict(device="gpu"), dict(device="meta")],
)  # fmt: skip
def test_fields_of_experiments(fields):
    refused("fields of experiments", lambda: Experiment(**{"device": "cpu", **fields}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "FILE/x"], "FILE"), (["--out", "FILE"], "FILE"), (["--out", "/proc/fd2lib"], "/proc"),
        (["--out", "/dev/null/x"], "/dev/null"), (["--out", "n" * 300], "nnn"), (["--runs-dir", "FILE"], "FILE"),
        (["--runs-dir", "FILE/x"], "FILE"), (["--runs-dir", "/proc/fd2lib"], "/proc"), (["--out", "TAKEN"], "runs.csv"),
        (["--data-root", "NONE", "--dataset", "folder"], "NONE"),
        (["--data-root", "FILE", "--dataset", "folder"], "FILE"),
        (["--plugin", "NONE.py"], "NONE.py"), (["--plugin", "no_such_module"], "no_such_module"),
        (["--plugin", "FILE"], "FILE"), (["--recipes", "NONE.toml"], "NONE.toml"), (["--recipes", "FILE"], "FILE"),
        (["--recipes", "TAKEN"], "TAKEN"), (["--overrides", "evaluate.student_init=NONE.pth"], "NONE.pth"),
        (["--overrides", "evaluate.student_init=TAKEN"], "TAKEN"),
        (["--overrides", "evaluate.student_init=imagenet"], "ImageNet"),
        (["--overrides", "pretrain.init=imagenet"], "ImageNet"),
        (["--overrides", "evaluate.compiled=graphs"], "CUDA device"),
        (["--overrides", "relabel.label_source=head"], "no attention head"),
        (["--overrides", "evaluate.stem=small", "--student", "vit_tiny_patch16_224"], "small stem"),
    ],
)  # fmt: skip
def test_paths_and_weights(words, said, tmp_path):
    (tmp_path / "FILE").write_text("no toml and no folder")
    (tmp_path / "TAKEN" / "runs.csv").mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    refused("paths and weights", run(*words), said)
    after = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert after == before | {tmp_path / "runs.csv"} & after, "half an artefact is left"


@pytest.mark.parametrize(
    "words",
    [["rerun", "NONE.csv", "1"], ["rerun", "TAKEN", "1"], ["rerun", "EMPTY", "1"], ["rerun", "ROWS", "0"],
     ["rerun", "ROWS", "2"],
     ["rerun", "ROWS", "x"], ["rerun", "ROWS", ""], ["rerun", "ROWS", "ffffffff"], ["notebook", "NONE.ipynb",
      "o.ipynb"],
     ["notebook", "TAKEN", "o.ipynb"], ["export", "NONE", "ROWS"], ["attention", "--scale", "toy", "--out", "TAKEN"],
     ["geometry", "--scale", "toy", "--out", "ROWS/x"], ["bench", "--out", "TAKEN"], ["bench", "--out", "ROWS/x"]],
)  # fmt: skip
def test_files_that_are_read_or_written(words, tmp_path):
    (tmp_path / "TAKEN").mkdir()
    (tmp_path / "EMPTY").write_text("dataset,seed\n")
    (tmp_path / "ROWS").write_text("dataset,seed\nplumage,0\n")
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        status = main(words)
    lines = [line for line in error.getvalue().splitlines() if line.startswith("fd2lib:")]
    assert status in (1, 2) and len(lines) == 1, error.getvalue()
    kind = counted.setdefault("files", Counter())
    kind.update({"tried": 1, "one line": 1, "status 2": status == 2})


@pytest.mark.parametrize("phases", ["1@1", "3@7", "1@2 1@32", "1@32 1@7"])
def test_phases_below_what_a_network_takes(phases):
    words = ["--methods", "sre2lpp", "--overrides", f'distill.phases="{phases}"']
    refused("images too small", run(*words), "does not take images of")


# --- what no one thought of ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
)
KEYS = st.sampled_from(sorted(DECLARED)) | st.text(max_size=12)
TEXTS = st.lists(
    st.builds("{}{}{}".format, KEYS, st.sampled_from(["=", "==", "", " = "]), st.text(max_size=8)), max_size=3
)


def never_else(call):
    """Run what may be right; what is wrong is an error of the library's own in one line."""
    said = ""
    try:
        found = call()
    except SettingError as error:
        said, found = str(error), None
        counted.setdefault("fuzzed", Counter()).update(dict.fromkeys(COLUMNS[1:], 1))
    assert len(said.splitlines()) <= 1
    return found


FUZZ = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@FUZZ
@given(TEXTS)
def test_any_text_as_overrides(texts):
    never_else(lambda: load_recipe("toy", dataset="plumage", method="sre2lpp", overrides=" ".join(texts)))


@FUZZ
@given(st.dictionaries(KEYS, JSON, max_size=2))
def test_any_values_as_overrides(values):
    never_else(lambda: load_recipe("toy", dataset="plumage", method="sre2lpp", overrides=values))


@FUZZ
@given(JSON, st.sampled_from(["", 0, 0.5, True]))
def test_any_value_as_an_option(value, default):
    found = never_else(lambda: fitting_option("x", value, default))
    assert found is None or type(found) is type(default)


@FUZZ
@given(st.text(alphabet="0123456789@, _-.e+٣３ab\n", max_size=12))
def test_any_text_as_numbers_and_phases(text):
    numbers = never_else(lambda: parse_numbers("ipc", text))
    assert numbers is None or re.fullmatch(r"[\s\d,+-]+", text, re.ASCII)
    phases = never_else(lambda: parse_phases(text))
    assert not phases or re.fullmatch(r"[\s\d@]+", text, re.ASCII)


WORDS = st.sampled_from(["recipes", "show", "run", "toy", "--seeds", "0", "--ipc", "--plan", "-p", "--", "=", "é", ""])


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(WORDS | st.text(max_size=5), max_size=5))
def test_any_words_as_a_command_line(words):
    error = io.StringIO()
    with (
        contextlib.redirect_stderr(error),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(Computed, SystemExit),
    ):
        status = main([*words])
        assert status in (0, 2), error.getvalue()
        if status:
            assert len([line for line in error.getvalue().splitlines() if line.startswith("fd2lib:")]) == 1
            counted.setdefault("fuzzed", Counter()).update(dict.fromkeys(COLUMNS[1:], 1))


def test_the_committed_counts_are_of_this_file():
    """Kinds are those that are counted here, several hundred inputs, each in one line."""
    with open(RESULTS, encoding="utf-8", newline="") as stream:
        rows = {row["kind"]: row for row in csv.DictReader(stream)}
    assert set(counted) <= set(rows), f"run this file with FD2LIB_BAD_INPUT={RESULTS}"
    assert sum(int(row["tried"]) for kind, row in rows.items() if kind != "fuzzed") >= 300
    assert all(row["tried"] == row["one line"] for row in rows.values())
    assert all(row["tried"] == row["status 2"] for kind, row in rows.items() if kind != "files")
