"""Additions from outside: a stranger's term, reader, method, study and plan work at toy size, with nothing edited."""

import textwrap

import pandas as pd
import pytest

from fd2lib.data import list_datasets, registry
from fd2lib.drive import Experiment, list_studies, load_plan, load_plugin
from fd2lib.drive.cli import main
from fd2lib.ground import SettingError, add_recipes, list_methods, recipe_files
from fd2lib.ground.by_stage import STAGES
from fd2lib.losses import terms
from fd2lib.record import read_rows

TINY = "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=3 relabel.epochs=1 evaluate.test_every=1"
PLUGIN = '''
from fd2lib.data import DatasetInfo, Reader, make_listing, register_reader
from fd2lib.losses import Term, register_term


def smoothness(inputs):
    return (inputs.images[..., 1:] - inputs.images[..., :-1]).square().mean()


register_term(Term("smoothness", "smooth images", "smoothness_weight", needs_head=False, function=smoothness))


def read(folder):
    """One folder, classes in file names: robin_0.png."""
    splits = [
        [(file, int("wren" in file.name)) for file in (folder / split).iterdir()] for split in ("train", "test")
    ]
    return make_listing(("robin", "wren"), *splits)


INFO = DatasetInfo(
    name="garden", title="Birds in a garden", num_classes=2, train_images=8, test_images=4, native_size="32",
    split="ours", licence="CC0", source="here", citation="", layout="birds_of_a_garden/{train,test}/CLASS_NUMBER.png",
)
register_reader(Reader(INFO, "Two birds.", read=read, unpacked=("birds_of_a_garden",)))
'''
RECIPES = """
[methods.method.smooth]
title = "SRe²L++, smooth"
pieces = ["plain_teacher", "matching", "single_phase", "no_constraints", "smooth"]
[methods.piece.smooth.distill]
smoothness_weight = 0.5

[studies.smoothness]
title = "Do smooth images help?"
reference = "without"
[studies.smoothness.arms]
without = { title = "without", method = "sre2lpp" }
smooth = { title = "smooth", method = "smooth" }

[plans.garden]
title = "Smooth images in a garden"
file = "garden.csv"
rows = "students"
scale = "toy"
dataset = "garden"
image_size = 32
ipc = "1"
seeds = "0"
overrides = "OVERRIDES"
[[plans.garden.parts]]
study = "smoothness"

[toy.dataset.garden.general]
image_size = 32
[toy.dataset.garden.pretrain]
batch_size = { value = 4, from = "few images" }
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    from PIL import Image

    root = tmp_path_factory.mktemp("outside")
    for split, count in (("train", 4), ("test", 2)):
        folder = root / "data" / "birds_of_a_garden" / split
        folder.mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (32, 32), (180 + index, 60, 40)).save(folder / f"robin_{index}.png")
            Image.new("RGB", (32, 32), (60, 100 + index, 60)).save(folder / f"wren_{index}.png")
    (root / "mine.py").write_text(textwrap.dedent(PLUGIN), encoding="utf-8")
    (root / "mine.toml").write_text(RECIPES.replace("OVERRIDES", TINY), encoding="utf-8")
    before = [(kept, dict(kept)) for kept in (recipe_files._added, registry._READERS, terms._TERMS, STAGES)]
    yield root
    for kept, earlier in before:  # other tests look over everything that is registered
        kept.clear()
        kept.update(earlier)
    recipe_files.read_tables.cache_clear()


def test_a_plan_of_a_strangers_method_term_reader_and_study_runs(outside, capsys):
    added = ["--plugin", str(outside / "mine.py"), "--recipes", str(outside / "mine.toml")]
    command = ["run", "--plan", "garden", *added, "--data-root", str(outside / "data"), "--device", "cpu"]
    command += ["--runs-dir", str(outside / "runs"), "--out", str(outside / "out"), "--quiet"]
    assert main(command) == 0
    rows = read_rows(outside / "out" / "garden.csv")
    assert [(row["method"], row["dataset"], row["image_set"]) for row in rows] == [
        ("sre2lpp", "garden", "garden"), ("smooth", "garden", "garden"),
    ]  # fmt: skip
    assert '"smoothness_weight": 0.5' in rows[1]["settings"]
    histories = [pd.read_csv(path) for path in sorted((outside / "runs" / "distill").glob("*/history.csv"))]
    assert sorted("smoothness" in history and history["smoothness"].gt(0).any() for history in histories) == [
        False,
        True,
    ]
    assert "smoothness" in list_studies() and "smooth" in list_methods() and load_plan("garden").title
    assert list_datasets()["garden"].licence == "CC0"
    assert main(["data", "list", *added[:2]]) == 0
    assert "Birds in a garden" in capsys.readouterr().out
    assert main(["recipes", "show", "toy/smooth/garden", *added]) == 0
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "0.5" in told["distill.smoothness_weight"] and "mine.toml" in told["distill.smoothness_weight"]
    assert "few images" in told["pretrain.batch_size"]


def test_additions_that_do_not_work_are_said_in_one_line(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("raise RuntimeError('no')")
    for plugin in (str(bad), str(tmp_path / "none.py"), "no_such_module_anywhere"):
        with pytest.raises(SettingError, match="could not be loaded"):
            load_plugin(plugin)
    for text, words in (
        ("[method.mine]\ntitle='x'", "unknown table 'method'"),
        ("[methods.method.sre2lpp]\ntitle='x'\npieces=[]", "exists"),
        ("[studies.main]\ntitle='x'\nreference='a'\n[studies.main.arms.a]\ntitle='a'", "exists"),
        ("[studies.mine]\ntitle='x'", "reference of studies.mine is None; expected a text"),
        ("not toml", "cannot read recipes"),
    ):
        (tmp_path / "mine.toml").write_text(text)
        with pytest.raises(SettingError, match=words):
            add_recipes(tmp_path / "mine.toml")
    with pytest.raises(SettingError, match="cannot read recipes"):
        Experiment(recipes=str(tmp_path / "none.toml"))


def test_two_image_sets_of_ones_own_are_two(tmp_path):
    from PIL import Image

    for name, colour in (("birds", 40), ("fungi", 200)):
        for split in ("train", "test"):
            for label in ("a", "b"):
                folder = tmp_path / name / split / label
                folder.mkdir(parents=True)
                for index in range(4):
                    Image.new("RGB", (32, 32), (colour + 9 * index, 40 * index, 60 + 90 * (label == "b"))).save(
                        folder / f"{index}.png"
                    )
        command = [
            "run",
            "--dataset",
            "folder",
            "--data-root",
            str(tmp_path / name),
            "--scale",
            "toy",
            "--device",
            "cpu",
        ]
        command += ["--image-size", "32", "--methods", "random", "--ipc", "1", "--seeds", "0", "--no-page", "--quiet"]
        command += ["--overrides", TINY, "--out", str(tmp_path / "out"), "--runs-dir", str(tmp_path / "runs")]
        assert main(command) == 0
    rows = read_rows(tmp_path / "out" / "runs.csv")
    assert [row["image_set"] for row in rows] == ["birds", "fungi"]
    assert len({row["images_fingerprint"] for row in rows}) == 2
