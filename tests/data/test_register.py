"""A reader in one file of a stranger's: registered by being imported, then known everywhere."""

import importlib.util
import subprocess
import sys

import pytest
import torch

from fd2lib.data import (
    DatasetInfo,
    Reader,
    dataset_info,
    format_card,
    format_listing,
    list_datasets,
    load_dataset,
    prepare,
    register_reader,
    registry,
)
from fd2lib.ground import DataError, SettingError, load_recipe

PLUGIN = '''
"""Moths of a stranger's."""

from pathlib import Path

from fd2lib.data import DatasetInfo, Listing, Reader, make_listing, register_reader

INFO = DatasetInfo(
    name="moths", title="Moths of one garden", num_classes=2, train_images=4, test_images=2, native_size="varied",
    split="by night", licence="CC BY 4.0", source="https://example.org/moths", citation="A stranger 2026",
    layout="moths/{train,test}/CLASS/IMAGE or moths-v1/{lists|images}",
)
CARD = "Caught with a lamp, and let go.\\n\\n**Known issues.** Few."


def read(folder: Path) -> Listing:
    rows = [line.split(",") for line in (folder / "list.csv").read_text().split()]
    train, test = ([(folder / f, int(k)) for f, k, split in rows if split == part] for part in ("train", "test"))
    return make_listing(["Hawk/moth", "Tiger_moth"], train, test, report=("listed from list.csv",))


def download(root: Path) -> None:
    import shutil

    shutil.copytree(root.parent / "server" / "moths-v1", root / "moths-v1")


register_reader(Reader(INFO, CARD, read=read, unpacked=("moths-v1",), download=download))
'''


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_READERS", dict(registry._READERS))


@pytest.fixture
def plug(tmp_path):
    """Import a file as a plugin."""

    def run(text: str, name: str):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return path

    return run


@pytest.fixture
def archive(tmp_path, save_image):
    folder = tmp_path / "root" / "moths-v1"
    rows = [("b.png", 0, "train"), ("a.png", 0, "train"), ("c.png", 1, "train"), ("d.png", 1, "train")]
    rows += [("e.png", 0, "test"), ("f.png", 1, "test")]
    for seed, (file, _, _) in enumerate(rows):
        save_image(folder / file, seed)
    (folder / "list.csv").write_text("".join(f"{file},{label},{split}\n" for file, label, split in rows))
    return folder


def test_a_strangers_set_is_listed_loaded_described_and_carded(plug, archive, tmp_path):
    plug(PLUGIN, "moths_plugin")
    assert list(list_datasets())[-1] == "moths"
    info = dataset_info("moths")
    assert info.licence == "CC BY 4.0" and info.downloadable and not info.embedded
    for fact in ("moths (download=True)", "Moths of one garden", "CC BY 4.0", "A stranger 2026"):
        assert fact in format_listing()
    card = format_card("moths")
    assert card.startswith("# Moths of one garden\n") and "**Known issues.** Few." in card and "CC BY 4.0" in card
    assert "<https://example.org/moths>; the library can fetch it" in card and r"{lists\|images}" in card
    dataset = load_dataset("moths", tmp_path / "root", 8)
    assert dataset.classes == ("Hawk-moth", "Tiger_moth") and dataset.report[3] == "listed from list.csv"
    assert dataset.train.names[:2] == ("train/Hawk-moth/a.png", "train/Hawk-moth/b.png")
    assert load_dataset("moths", archive, 8, "tiger", train_per_class=1).train.labels.tolist() == [0]
    assert load_recipe("toy", dataset="moths", method="random").dataset == "moths"


def test_class_folders_of_a_strangers_set_need_no_code(archive, plug, make_folder):
    plug(PLUGIN, "moths_plugin")
    root = make_folder(classes=("Hawk-moth", "Tiger_moth"), train=2, test=1, name="moths")
    assert load_dataset("moths", root.parent, 8).train.names[0] == "train/Hawk-moth/00.png"
    assert load_dataset("moths", root, 8).report[0].startswith("2 classes")


def test_a_strangers_set_is_fetched_and_prepared(archive, plug, tmp_path):
    plug(PLUGIN, "moths_plugin")
    (tmp_path / "server").mkdir()
    archive.rename(tmp_path / "server" / "moths-v1")
    with pytest.raises(DataError, match=r"no moths under .*moths-v1.*pass download=True"):
        load_dataset("moths", tmp_path / "root", 8)
    assert len(load_dataset("moths", tmp_path / "new", 8, download=True).train) == 4
    with pytest.raises(DataError, match=r"lacks moths-train\.tar"):
        prepare("moths", tmp_path, tmp_path / "root")


def test_what_a_reader_raises_is_explained(archive, plug, tmp_path):
    plug(PLUGIN, "moths_plugin")
    (archive / "list.csv").write_text("a.png,first,train\n")
    with pytest.raises(DataError, match=r"cannot read Moths of one garden in .*'first'.*unpack the whole archive"):
        load_dataset("moths", tmp_path / "root", 8)
    with pytest.raises(DataError, match=r"cannot fetch Moths of one garden into .*example\.org/moths by hand"):
        load_dataset("moths", tmp_path / "new", 8, download=True)


def test_a_name_registered_twice_names_both_files(plug):
    first = plug(PLUGIN, "moths_plugin")
    with pytest.raises(SettingError) as error:
        plug(PLUGIN, "other_plugin")
    assert str(first) in str(error.value) and "other_plugin.py" in str(error.value) and "'moths'" in str(error.value)
    with pytest.raises(SettingError, match=r"registered twice: by .*cub200\.py and by .*third\.py"):
        plug(PLUGIN.replace('name="moths"', 'name="cub200"'), "third")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"name": "a/b"}, "'a/b'; expected letters"), ({"licence": " "}, "no licence"), ({"title": ""}, "no title")],
)
def test_facts_that_say_nothing_are_refused(change, message):
    facts = {"name": "m", "title": "M", "num_classes": 2, "train_images": 2, "test_images": 2, "native_size": "any"}
    facts |= {"split": "ours", "licence": "CC0", "source": "ours", "citation": "", "layout": "m/"} | change
    with pytest.raises(SettingError, match=message):
        register_reader(Reader(DatasetInfo(**facts), "A card."))


def test_a_drawn_set_of_a_strangers(plug):
    plug(
        PLUGIN.split("def read")[0].replace("Listing,", "Listing, SplitListing,")
        + """
import numpy as np


def draw(size, classes, seed, train_per_class, test_per_class):
    one = SplitListing(("x/0", "x/1"), (0, 1), pixels=np.full((2, size, size, 3), seed, np.uint8))
    return Listing(("dark", "light"), one, one)


register_reader(Reader(INFO, CARD, draw=draw))
""",
        "drawn",
    )
    dataset = load_dataset("moths", size=4, seed=7)
    assert torch.equal(dataset.train.images, torch.full((2, 3, 4, 4), 7, dtype=torch.uint8))
    assert dataset_info("moths").embedded and "comes with the library" in format_card("moths")


def test_each_set_of_the_library_has_a_file_of_its_name():
    assert [reader.file.rsplit("readers", 1)[-1][1:] for reader in registry._READERS.values()] == [
        f"{name}.py" for name in list_datasets()
    ]


def test_importing_the_room_registers_and_does_nothing_else():
    code = (
        "import sys, fd2lib.data; from fd2lib.data.plumage.families import catalogue;"
        "heavy = {'torch', 'torchvision', 'pandas', 'scipy', 'matplotlib', 'timm'} & set(sys.modules);"
        "assert not heavy, heavy; assert catalogue.cache_info().currsize == 0; print(*fd2lib.data.list_datasets())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:3] == ["plumage", "folder", "cub200"]
