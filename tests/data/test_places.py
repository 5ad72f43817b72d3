"""That images behind a page changed is seen, wherever their set lies below the root."""

import os

import pytest

from fd2lib.data.places import images_state
from fd2lib.ground.paths import folder_state

PLACES = {"cub200": "cub200/train/wren", "flowers102": "flowers-102/jpg", "folder": "train/wren", "ones_own": "birds"}


@pytest.mark.parametrize("dataset", PLACES)
def test_a_changed_image_is_another_state(tmp_path, dataset):
    image = tmp_path / PLACES[dataset] / "0.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"first")
    state = images_state(dataset, tmp_path)
    assert state == images_state(dataset, tmp_path)
    image.write_bytes(b"other bytes")
    assert images_state(dataset, tmp_path) != state


def test_images_of_another_set_do_not_count(tmp_path):
    for name in ("cub200", "other"):
        (tmp_path / name / "train").mkdir(parents=True)
    state = images_state("cub200", tmp_path)
    (tmp_path / "other" / "train" / "0.png").write_bytes(b"")
    assert images_state("cub200", tmp_path) == state


def test_of_folders_only_what_is_in_them_counts(tmp_path):
    os.symlink(tmp_path / "nowhere", tmp_path / "1.png")
    before = folder_state(tmp_path)
    (tmp_path / "test").mkdir()
    assert folder_state(tmp_path) == before


def test_drawn_sets_and_no_root_have_no_state(tmp_path, monkeypatch):
    (tmp_path / "0.png").write_bytes(b"")
    assert images_state("plumage_one", tmp_path) == ""
    monkeypatch.delenv("FD2LIB_DATA_ROOT", raising=False)
    assert images_state("cub200", "") == ""
