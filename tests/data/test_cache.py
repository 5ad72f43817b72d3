"""The cache of decoded pixels: a shortcut that is never trusted blindly and never needed."""

import json
import os
import shutil

import pytest
import torch
from PIL import Image

from fd2lib.data import cache_folder, load_dataset, pixels


def same(left, right) -> bool:
    return (
        left.fingerprint == right.fingerprint
        and (left.mean, left.std, left.classes, left.report) == (right.mean, right.std, right.classes, right.report)
        and torch.equal(left.train.images, right.train.images)
        and torch.equal(left.test.images, right.test.images)
    )


@pytest.fixture
def decoded(monkeypatch):
    """Count how often a split is decoded."""
    calls = []
    original = pixels.decode
    monkeypatch.setattr(pixels, "decode", lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    return calls


def files_of(tmp_path, suffix):
    return sorted((tmp_path / "cache").glob(f"*{suffix}"))


def test_second_load_reads_the_cache(make_folder, decoded):
    root = make_folder()
    first = load_dataset("folder", root, 8)
    assert len(decoded) == 2
    assert same(first, load_dataset("folder", root, 8)) and len(decoded) == 2


def test_changed_files_sizes_and_subsets_are_read_again(make_folder, save_image, decoded):
    root = make_folder()
    first = load_dataset("folder", root, 8)
    load_dataset("folder", root, 9)
    load_dataset("folder", root, 8, "2")
    assert len(decoded) == 6
    save_image(root / "train" / "ash" / "00.png", 999)
    changed = load_dataset("folder", root, 8)
    assert len(decoded) == 8 and changed.fingerprint != first.fingerprint


@pytest.mark.parametrize("damage", ["truncate", "pixels", "record", "json", "missing"])
def test_a_damaged_cache_is_made_again(make_folder, tmp_path, decoded, caplog, damage):
    root = make_folder()
    first = load_dataset("folder", root, 8)
    (tensors,), (record,) = files_of(tmp_path, ".safetensors"), files_of(tmp_path, ".json")
    raw = tensors.read_bytes()
    if damage == "truncate":
        tensors.write_bytes(raw[: len(raw) // 2])
    elif damage == "pixels":
        tensors.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif damage == "record":
        record.write_text(json.dumps({"mean": [0, 0, 0]}))
    elif damage == "json":
        record.write_text("{")
    else:
        tensors.unlink()
    assert same(first, load_dataset("folder", root, 8))
    assert len(decoded) == 4 and "reading the images again" in caplog.text
    assert same(first, load_dataset("folder", root, 8)) and len(decoded) == 4


def test_a_cache_that_cannot_be_written_is_only_logged(make_folder, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    dataset = load_dataset("folder", make_folder(), 8, cache=blocked / "cache")
    assert len(dataset.train) == 12 and "FD2LIB_CACHE" in caplog.text


def test_file_backed_splits_keep_their_statistics_in_the_cache(make_folder, tmp_path, decoded):
    root = make_folder()
    first = load_dataset("folder", root, 8, memory_limit=0)
    assert len(decoded) == 2 and not files_of(tmp_path, ".safetensors")
    again = load_dataset("folder", root, 8, memory_limit=0)
    assert len(decoded) == 2 and (again.mean, again.fingerprint) == (first.mean, first.fingerprint)
    assert load_dataset("folder", root, 8).train.images is not None and len(decoded) == 4


def test_fingerprint_ignores_place_age_and_cache(make_folder, tmp_path):
    root = make_folder()
    first = load_dataset("folder", root, 8)
    copy = shutil.copytree(root, tmp_path / "copy" / "other")
    for path in copy.rglob("*.png"):
        os.utime(path, (1, 1))
    assert load_dataset("folder", copy, 8, cache=tmp_path / "second").fingerprint == first.fingerprint


def test_fingerprint_sees_one_pixel_a_name_and_the_size(make_folder):
    root = make_folder()
    prints = {load_dataset("folder", root, size).fingerprint for size in (8, 9)}
    path = root / "test" / "cedar" / "02.png"
    image = Image.open(path).convert("RGB")
    image.putpixel((0, 0), tuple(255 - value for value in image.getpixel((0, 0))))
    image.save(path)
    prints.add(load_dataset("folder", root, 8).fingerprint)
    path.rename(path.with_name("03.png"))
    prints.add(load_dataset("folder", root, 8).fingerprint)
    assert len(prints) == 4


def test_cache_folder_comes_from_argument_environment_or_home(monkeypatch, tmp_path):
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("FD2LIB_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "fd2lib"
