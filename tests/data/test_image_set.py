"""A name of one's own for a set's images: shown and grouped by, and no part of what the images are."""

import dataclasses
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fd2lib.data import load_dataset
from fd2lib.ground import SettingError

FEW = {"size": 16, "classes": "2", "train_per_class": 1, "test_per_class": 1}


def test_a_folder_is_called_by_its_own_name(make_folder, monkeypatch):
    root = make_folder(name="garden birds")
    for given_root in (root, f"{root}{os.sep}", root / ".", root / "train" / ".."):
        assert load_dataset("folder", given_root, 8).image_set == "garden birds"
    monkeypatch.chdir(root)
    assert load_dataset("folder", ".", 8).image_set == "garden birds"
    monkeypatch.setenv("FD2LIB_DATA_ROOT", str(root))
    assert load_dataset("folder", size=8).image_set == "garden birds"


def test_other_sets_are_called_by_their_registered_name(make_folder):
    root = make_folder(classes=("001.Ash_Tit", "002.Elm_Tit"), name="cub200")
    assert load_dataset("cub200", root.parent, 8, "*").image_set == "cub200"
    drawn = load_dataset("plumage", **FEW)
    assert drawn.image_set == "plumage" == dataclasses.replace(drawn, image_set="").image_set


def test_a_given_name_is_kept_and_the_fingerprint_does_not_see_it(make_folder):
    root = make_folder()
    plain, named = load_dataset("folder", root, 8), load_dataset("folder", root, 8, image_set=" Vögel 鳥 ")
    assert (plain.image_set, named.image_set) == ("own", "Vögel 鳥")
    assert plain.fingerprint == named.fingerprint and plain.name == named.name == "folder"
    assert load_dataset("plumage", **FEW, image_set="mine").image_set == "mine"


@pytest.mark.parametrize(
    "name", ["a\nb", "tail\n", "bell\a", "nul\0", "\x7f", "half\ud800", "line\u2028", " ", "x" * 101]
)
def test_names_that_cannot_be_one_are_refused(name):
    with pytest.raises(SettingError, match=r"^image_set is .*1 to 100 characters") as error:
        load_dataset("plumage", **FEW, image_set=name)
    assert "\n" not in str(error.value)


def test_a_folder_whose_name_cannot_be_one_asks_for_another(make_folder):
    root = make_folder()
    long = root.rename(root.with_name("x" * 101))
    with pytest.raises(SettingError, match=r"the folder's name is 'xxx.* with image_set"):
        load_dataset("folder", long, 8)
    assert load_dataset("folder", long, 8, image_set="short").image_set == "short"


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=100))
def test_any_other_name_is_kept(name):
    if name.strip():
        assert load_dataset("plumage", **FEW, image_set=name).image_set == name.strip()
