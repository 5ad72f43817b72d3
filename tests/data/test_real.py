"""The real packs, where FD2LIB_DATA_ROOT names a root that holds them."""

import os
import re

import pytest
import torch

from fd2lib.data import batches, dataset_info, load_dataset, load_parts
from fd2lib.data.load import find_listing


def need(root, name):
    if not (root / name / "train").is_dir():
        pytest.skip(f"{root} holds no {name}/train")


@pytest.mark.parametrize("name", ["cub200", "flowers102", "imagewoof"])
def test_packs_are_the_complete_official_sets(data_root, name):
    need(data_root, name)
    listing, info = find_listing(name, data_root), dataset_info(name)
    assert (len(listing.classes), len(listing.train), len(listing.test)) == (
        info.num_classes,
        info.train_images,
        info.test_images,
    )
    assert not set(listing.train.names) & set(listing.test.names) and listing.report == ()


def test_warblers(data_root):
    need(data_root, "cub200")
    dataset = load_dataset("cub200", data_root, 32, "Warbler:10")
    assert dataset.classes[0] == "158.Bay_breasted_Warbler" and dataset.num_classes == 10
    assert dataset.train.labels.bincount().tolist() == [30] * 10
    assert not any(line.startswith("problem") for line in dataset.report)
    backed = load_dataset("cub200", data_root, 32, "Warbler:10", memory_limit=0)
    assert backed.fingerprint == dataset.fingerprint
    left, right = next(batches(dataset.test, 16)), next(batches(backed.test, 16, workers=0))
    assert torch.equal(left.images, right.images) and torch.equal(left.labels, right.labels)


def test_genera_are_the_first_species_of_each_last_word_and_no_warblers(data_root):
    need(data_root, "cub200")
    first = {}
    for name in find_listing("cub200", data_root).classes:
        first.setdefault(re.split("[._]", name)[-1], name)
    del first["Warbler"]
    dataset = load_dataset("cub200", data_root, 16, "genera")
    assert list(dataset.classes) == list(first.values())[:25]
    warblers = load_dataset("cub200", data_root, 16, "Warbler")
    assert warblers.num_classes == 25 and set(dataset.train.labels.bincount().tolist()) <= {29, 30}
    assert not set(warblers.classes) & set(dataset.classes)


def test_parts_lie_on_the_birds(data_root):
    need(data_root, "cub200")
    dataset = load_dataset("cub200", data_root, 32, "Warbler:10")
    parts = load_parts(data_root, dataset)
    assert len(parts.names) == 15 and parts.test.locations.shape == (len(dataset.test), 15, 2)
    x, y = parts.test.locations.unbind(-1)
    x0, y0, x1, y1 = (edge[:, None] for edge in parts.test.boxes.unbind(-1))
    inside = (x >= x0 - 1) & (x <= x1 + 1) & (y >= y0 - 1) & (y <= y1 + 1)
    assert inside[parts.test.visible].float().mean() > 0.98
    assert parts.test.visible.float().mean() > 0.6


def test_flowers_archive_agrees_with_the_pack(data_root, tmp_path):
    need(data_root, "flowers102")
    pack = find_listing("flowers102", data_root)
    folder = tmp_path / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    for path in (*pack.train.paths, *pack.test.paths):
        os.symlink(path, folder / "jpg" / os.path.basename(path))
    for name in ("imagelabels.mat", "setid.mat"):
        os.symlink(data_root / "flowers102" / "metadata" / name, folder / name)
    archive = find_listing("flowers102", tmp_path)
    for split in ("train", "test"):
        left, right = getattr(pack, split), getattr(archive, split)
        assert left.labels == right.labels
        assert [os.path.basename(path) for path in left.paths] == [os.path.basename(path) for path in right.paths]


def test_cub_archive_agrees_with_the_pack(data_root, tmp_path):
    need(data_root, "cub200")
    pack = find_listing("cub200", data_root)
    folder = tmp_path / "CUB_200_2011"
    (folder / "images").mkdir(parents=True)
    for label in pack.classes:
        (folder / "images" / label).mkdir()
    for path in (*pack.train.paths, *pack.test.paths):
        os.symlink(path, folder / "images" / os.path.join(*path.split(os.sep)[-2:]))
    for table in ("images.txt", "classes.txt", "image_class_labels.txt", "train_test_split.txt"):
        os.symlink(data_root / "cub200" / "metadata" / table, folder / table)
    archive = find_listing("cub200", tmp_path)
    assert archive.classes == pack.classes
    assert archive.train.names == pack.train.names and archive.test.names == pack.test.names
    assert archive.test.labels == pack.test.labels
