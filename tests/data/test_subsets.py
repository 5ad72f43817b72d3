"""Subsets by count, by name and by images per class."""

import glob
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.data import ImageSplit, display_name, load_dataset, require_per_class, select_classes
from fd2lib.ground import DataError, SettingError

BIRDS = ("001.Palm_Warbler", "002.Song_Sparrow", "003.Pine_Warbler", "004.Barn_Owl", "005.Yellow_Warbler")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("2", [0, 1]),
        (":2", [0, 1]),
        ("Warbler", [0, 2, 4]),
        ("warbler:2", [0, 2]),
        ("Pine Warbler", [2]),
        ("pine_w", [2]),
        ("*_Warbler", [0, 2, 4]),
        ("p*warbler:1", [0]),
        ("Song?Sparrow", [1]),
    ],
)
def test_patterns(pattern, expected):
    assert select_classes(BIRDS, pattern) == expected


@pytest.mark.parametrize("pattern", ["Warbler:4", "6", "0", "Warbler:0"])
def test_more_classes_than_there_are(pattern):
    with pytest.raises(DataError, match="ask for 1 to"):
        select_classes(BIRDS, pattern)


def test_a_subset_that_has_a_name():
    named = {"flying": (BIRDS[3], BIRDS[1])}
    assert select_classes(BIRDS, "flying", named) == [1, 3] and select_classes(BIRDS, "flying:1", named) == [1]
    assert select_classes(BIRDS, "Warbler", named) == [0, 2, 4]
    with pytest.raises(DataError, match=r"1 classes of 'flying' are not there, the first is '004.Barn_Owl'"):
        select_classes(BIRDS[:3], "flying", named)
    with pytest.raises(DataError, match="ask for 1 to 2"):
        select_classes(BIRDS, "flying:3", named)


def test_no_match_names_near_classes():
    with pytest.raises(DataError, match=r"'Sparow'.*002\.Song_Sparrow"):
        select_classes(BIRDS, "Sparow")
    with pytest.raises(DataError, match="names look like"):
        select_classes(BIRDS, "zzzzzz")


names = st.lists(st.text(st.characters(codec="ascii", exclude_characters="/\\:"), min_size=1, max_size=8), min_size=1,
                 max_size=12, unique=True).map(tuple)  # fmt: skip


@given(classes=names, data=st.data())
def test_a_count_is_a_prefix_of_its_pattern(classes, data):
    text = data.draw(st.sampled_from(classes).filter(lambda name: name.strip() and not name.strip().isdecimal()))
    found = select_classes(classes, glob.escape(text.strip()))
    count = data.draw(st.integers(1, len(found)))
    assert select_classes(classes, f"{glob.escape(text.strip())}:{count}") == found[:count]
    assert select_classes(classes, str(count)) == list(range(count))


@given(classes=names, pattern=st.text(st.characters(codec="ascii"), max_size=6))
def test_any_pattern_gives_ascending_classes_or_a_data_error(classes, pattern):
    try:
        found = select_classes(classes, pattern)
    except DataError as error:
        found, told = None, str(error)
    if found is None:
        assert "\n" not in told or "\n" in pattern + "".join(classes)
        return
    assert found == sorted(set(found)) and set(found) <= set(range(len(classes))) and found
    assert select_classes(classes, pattern.upper()) == select_classes(classes, pattern.lower())


def test_a_subset_is_labelled_from_zero(make_folder):
    root = make_folder()
    whole, part = load_dataset("folder", root, 8), load_dataset("folder", root, 8, "*e*")
    assert part.classes == ("beech", "cedar")
    assert part.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(part.train.images, whole.train.images[4:])
    assert part.fingerprint != whole.fingerprint and part.mean != whole.mean


def test_images_per_class_are_drawn_by_seed_and_independent_of_other_classes(make_folder):
    root = make_folder(train=12)
    first = load_dataset("folder", root, 8, train_per_class=3, test_per_class=1, seed=1)
    assert first.train.labels.bincount().tolist() == [3, 3, 3] and len(first.test) == 3
    assert load_dataset("folder", root, 8, train_per_class=3, test_per_class=1, seed=1).train.names == first.train.names
    assert load_dataset("folder", root, 8, train_per_class=3, seed=2).train.names != first.train.names
    cedar = load_dataset("folder", root, 8, "cedar", train_per_class=3, seed=1)
    assert cedar.train.names == first.train.names[6:]


def test_too_few_images_name_class_and_numbers(make_folder):
    root = make_folder()
    (root / "train" / "beech" / "00.png").unlink()
    with pytest.raises(DataError, match=r"class 'beech' has 3 images, train_per_class=4 needs 4"):
        load_dataset("folder", root, 8, train_per_class=4)
    with pytest.raises(SettingError, match="-1"):
        load_dataset("folder", root, 8, train_per_class=-1)


def test_require_per_class(make_folder):
    root = make_folder()
    (root / "train" / "cedar" / "00.png").unlink()
    dataset = load_dataset("folder", root, 8)
    require_per_class(dataset, 3, "three images per class")
    with pytest.raises(DataError, match=r"'cedar' has 3 images, distilling 5 per class needs 5 .* 2 more classes"):
        require_per_class(dataset, 5, "distilling 5 per class")
    lacking = replace(dataset, train=ImageSplit(None, torch.tensor([0, 0, 2]), ("a", "b", "c")))
    with pytest.raises(DataError, match="'beech' has 0 images"):
        require_per_class(lacking, 1, "training")


def test_display_names():
    assert display_name("159.Black_and_white_Warbler") == "Black and white Warbler"
    assert display_name("Boeing 707-320") == "Boeing 707-320"
    assert display_name("12.") == "12."
