"""The registry, its listing, and ``load_dataset``'s own checks."""

import dataclasses

import pytest
import torch

from fd2lib.data import dataset_info, format_listing, list_datasets, load_dataset
from fd2lib.data.plumage import render_split
from fd2lib.ground import DataError, SettingError

PHOTOGRAPHS = ["cub200", "aircraft", "cars196", "flowers102", "cifar10", "cifar100", "imagenette", "imagewoof"]
GRAINS = ["plumage_families", "plumage_one", "plumage_three", "plumage_two"]  # among the rest, by name
NAMES = ["plumage", "folder", *PHOTOGRAPHS, *GRAINS]


def test_every_set_is_registered_with_its_facts():
    infos = list_datasets()
    assert list(infos) == NAMES
    for name, info in infos.items():
        assert info.name == name
        texts = [getattr(info, field.name) for field in dataclasses.fields(info) if field.name != "citation"]
        assert all(text != "" for text in texts)
        if name != "folder":
            assert info.citation and info.num_classes > 1 and info.train_images > info.num_classes


def test_listing_names_classes_sizes_split_licence_and_source():
    text = format_listing()
    for info in list_datasets().values():
        for fact in (info.name, info.title, info.native_size, info.split, info.licence, info.source, info.layout):
            assert fact in text
    assert "5,994" in text and max(map(len, text.splitlines())) < 160


def test_unknown_names_and_sizes():
    with pytest.raises(SettingError, match="Did you mean 'aircraft'"):
        load_dataset("aircrafts")
    with pytest.raises(SettingError, match="size is 0"):
        load_dataset("plumage", size=0)
    with pytest.raises(SettingError):
        dataset_info("")


def test_plumage_has_eight_classes_of_sixty_and_twenty_five():
    dataset = load_dataset("plumage", size=16)
    info = dataset_info("plumage")
    assert (dataset.num_classes, len(dataset.train), len(dataset.test)) == (
        info.num_classes,
        info.train_images,
        info.test_images,
    )
    assert dataset.train.labels.bincount().tolist() == [60] * 8
    images, labels, names = render_split(8, 60, 16, "train", seed=0)
    assert torch.equal(dataset.train.images, images) and torch.equal(dataset.train.labels, labels)
    assert dataset.train.names == names


def test_plumage_subsets_and_seeds():
    few = load_dataset("plumage", size=16, classes="3", train_per_class=2, test_per_class=1)
    assert few.train.labels.bincount().tolist() == [2, 2, 2] and len(few.test) == 3
    assert torch.equal(few.train.images, render_split(3, 2, 16, "train")[0])
    other = load_dataset("plumage", size=16, classes="3", train_per_class=2, test_per_class=1, seed=1)
    assert other.fingerprint != few.fingerprint
    one = load_dataset("plumage", size=16, classes=load_dataset("plumage", size=16).classes[2], train_per_class=2)
    images, labels, _ = render_split(8, 2, 16, "train")
    assert torch.equal(one.train.images, images[labels == 2]) and one.train.labels.tolist() == [0, 0]
    with pytest.raises(DataError, match="no class matches"):
        load_dataset("plumage", classes="penguin")
    with pytest.raises(SettingError, match="test_per_class"):
        load_dataset("plumage", test_per_class=-1)
