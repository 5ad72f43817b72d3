"""Small trees of class folders, and the root of real images where the user has one."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache, or finds data that it did not ask for."""
    monkeypatch.setenv("FD2LIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    root = os.environ.get("FD2LIB_DATA_ROOT", "")
    monkeypatch.delenv("FD2LIB_DATA_ROOT", raising=False)
    return root


@pytest.fixture
def data_root(own_cache):
    """The user's root of real images."""
    if not own_cache:
        pytest.skip("FD2LIB_DATA_ROOT is not set; it names the folder that holds cub200/, flowers102/, imagewoof/")
    return Path(own_cache)


@pytest.fixture
def save_image():
    """Save a random image, the same for the same seed, and return its path."""

    def save(path: Path, seed: int = 0, size: tuple[int, int] = (12, 10)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return save


@pytest.fixture
def make_folder(tmp_path, save_image):
    """Make ``train`` and ``test`` class folders and return what holds them."""

    def make(classes=("ash", "beech", "cedar"), train=4, test=3, name="own", test_name="test") -> Path:
        seed = 0
        for split, count in (("train", train), (test_name, test)):
            for label in classes:
                for index in range(count):
                    seed += 1
                    save_image(tmp_path / name / split / label / f"{index:02d}.png", seed, (9 + seed % 5, 8 + seed % 3))
        return tmp_path / name

    return make
