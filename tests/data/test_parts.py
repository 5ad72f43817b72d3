"""Part locations and boxes, from a pack and from the authors' archive."""

import pytest
import torch

from fd2lib.data import load_dataset, load_parts
from fd2lib.ground import DataError

FILES = ["001.Ash_Tit/a.png", "001.Ash_Tit/b.png", "002.Elm_Tit/c.png", "002.Elm_Tit/d.png"]
SIZES = [(40, 20), (30, 30), (20, 40), (10, 10)]
PARTS = [(10.0, 5.0, 1), (0.0, 0.0, 0)]  # in every image: the beak is seen, the left eye is not


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))


@pytest.fixture(params=["pack", "archive"])
def root(request, tmp_path, save_image):
    """A root with two classes; images 1 and 3 train, and image 2's box reaches past its edges."""
    pack = request.param == "pack"
    folder = tmp_path / ("cub200/metadata" if pack else "CUB_200_2011")
    suffix = "_128" if pack else ""
    for index, (file, size) in enumerate(zip(FILES, SIZES, strict=True)):
        split = "test" if index % 2 else "train"
        save_image(tmp_path / "cub200" / split / file if pack else folder / "images" / file, index, size)
    numbers = range(1, 5)
    write_table(folder / "images.txt", zip(numbers, FILES, strict=True))
    write_table(folder / "classes.txt", [(1, "001.Ash_Tit"), (2, "002.Elm_Tit")])
    write_table(folder / "image_class_labels.txt", zip(numbers, (1, 1, 2, 2), strict=True))
    write_table(folder / "train_test_split.txt", zip(numbers, (1, 0, 1, 0), strict=True))
    write_table(folder / "image_sizes.txt", [(i, 400, 200, *SIZES[i - 1]) for i in numbers])
    write_table(folder / "parts" / "parts.txt", [(1, "beak"), (2, "left eye")])
    points = [(i, part, *PARTS[part - 1]) for i in numbers for part in (1, 2)]
    write_table(folder / "parts" / f"part_locs{suffix}.txt", points)
    boxes = [(1, 10.0, 5.0, 20.0, 10.0), (2, -3.0, 15.0, 20.0, 40.0), (3, 0, 0, 20, 40), (4, 1, 2, 3, 4)]
    write_table(folder / f"bounding_boxes{suffix}.txt", boxes)
    return tmp_path


def test_locations_follow_the_warp(root):
    parts = load_parts(root, load_dataset("cub200", root, 60, "*"))
    assert parts.names == ("beak", "left eye")
    # 40 × 20 becomes 60 × 60: x is scaled by 1.5, y by 3; 20 × 40 the other way round.
    assert parts.train.locations[:, 0].tolist() == [[15.0, 15.0], [30.0, 7.5]]
    assert parts.train.visible.tolist() == [[True, False]] * 2
    assert parts.train.locations[:, 1].eq(0).all()
    assert parts.test.locations[1, 0, 0] < 60 and parts.test.locations[1, 0].floor().tolist() == [59.0, 30.0]


def test_boxes_are_scaled_and_clipped(root):
    parts = load_parts(root, load_dataset("cub200", root, 60, "*"))
    assert parts.train.boxes.tolist() == [[15.0, 15.0, 45.0, 45.0], [0.0, 0.0, 60.0, 60.0]]
    assert parts.test.boxes[0].tolist() == [0.0, 30.0, 34.0, 60.0]


def test_subsets_get_their_own_rows(root):
    whole = load_parts(root, load_dataset("cub200", root, 30, "*"))
    part = load_parts(root, load_dataset("cub200", root, 30, "Elm"))
    assert torch.equal(part.train.boxes, whole.train.boxes[1:]) and part.test.locations.shape == (1, 2, 2)


def test_other_sets_and_damaged_tables_are_refused(root, tmp_path):
    dataset = load_dataset("cub200", root, 30, "*")
    with pytest.raises(DataError, match="not for 'plumage'"):
        load_parts(root, load_dataset("plumage", size=16, classes="2", train_per_class=1, test_per_class=1))
    with pytest.raises(DataError, match="no cub200 under"):
        load_parts(root / "nowhere", dataset)
    (boxes,) = tmp_path.rglob("bounding_boxes*.txt")
    boxes.write_text("1 2 3 4 5\n")
    with pytest.raises(DataError, match="1 boxes for 4 images"):
        load_parts(root, dataset)
    boxes.write_text("1 2 3 4\n")
    with pytest.raises(DataError, match="4 columns; expected 5"):
        load_parts(root, dataset)
    boxes.unlink()
    with pytest.raises(DataError, match="cannot read"):
        load_parts(root, dataset)
