"""Fingerprints recorded before: runs made so far are found by them, so they must stay what they are."""

import hashlib

import numpy as np
import PIL
import pytest
from PIL import Image

from fd2lib.data import load_dataset
from fd2lib.data.plumage import render_masks, render_split

# Drawings may differ in a few edge pixels under other versions; photographs read at their own size do not.
DRAWN_WITH = ("13.", "2.")  # Pillow, NumPy


@pytest.fixture
def same_versions():
    seen = (PIL.__version__, np.__version__)
    if not all(version.startswith(start) for version, start in zip(seen, DRAWN_WITH, strict=True)):
        pytest.skip(f"recorded with Pillow {DRAWN_WITH[0]}x and NumPy {DRAWN_WITH[1]}x, these are {seen}")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"size": 48, "classes": "8"}, "6688adfd9c12cca9ad915d200dd6e382103eef529631b3790c73fa0cca8cebbd"),
        ({"size": 40, "seed": 1}, "dca6cf599dc771a49e86588779907b0d9bbcbf861aee52434ba332a4bc201057"),
        (
            {"size": 24, "classes": "64", "train_per_class": 2, "test_per_class": 1},
            "b424017f5a8799e951bd869aca7056d911047f1d816c871df879bccf4ccab3d2",
        ),
        ({"size": 32, "classes": "12", "seed": 4}, "30bb156f9db664639ab11a16fd49400865430f08cf7941d3294ff35b83acdcd0"),
        ({"size": 24, "classes": "Glassjay"}, "8a9988e01e6299ae77e476c872279c49348468674f40508c1858454619094ebd"),
    ],
)
def test_plumage(same_versions, wanted, expected):
    assert load_dataset("plumage", **wanted).fingerprint == expected


@pytest.mark.parametrize(
    ("classes", "size", "seed", "expected"),
    [
        (2, 16, 0, "b9ebeec26255171488a50f859237fdf24d56201568a5d10f161444a6704692d4"),
        (64, 97, 5, "4fa4e84242ed12d841ae8b829a5fbdd26dfb08b6212582650e9883c1b121d123"),
        (8, 260, 2, "7fee5f937c7d025facdc743e2f487dcfb79184cede3c43b84ff7de586ff3950a"),
    ],
)
def test_drawings_and_their_masks(same_versions, classes, size, seed, expected):
    digest = hashlib.sha256()
    for split in ("train", "test"):
        digest.update(render_split(classes, 1, size, split, seed=seed)[0].numpy())
        digest.update(render_masks(classes, 1, size, split, seed=seed).numpy())
    assert digest.hexdigest() == expected


def test_a_folder_of_fixed_pixels(tmp_path):
    for place, split in enumerate(("train", "test")):
        for label in range(3):
            for image in range(4 - place):
                path = tmp_path / "any" / split / f"class {label}" / f"{image}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                start = 7 * place + 31 * label + 101 * image
                pixels = (np.arange(8 * 8 * 3) * 37 + start) % 256
                Image.fromarray(pixels.astype(np.uint8).reshape(8, 8, 3)).save(path)
    whole = load_dataset("folder", tmp_path / "any", 8)
    assert whole.fingerprint == "6d4599d732f4a43bbb5f3f59fb3e591372511b94ce7727ca889c2b9b47c5ee87"
    part = load_dataset("folder", tmp_path / "any", 8, "class 1", train_per_class=2, seed=3)
    assert part.fingerprint == "49d838c7b9143ea9f089765c01e436a324d04c93c250ffec43ade4f8a3408443"
