"""Sets of one grain: how many parts tell classes apart, in the same scenes, with masks that are still right."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from fd2lib.data import format_card, load_dataset
from fd2lib.data.plumage import (
    GRAINS,
    PARTS,
    class_names,
    draw,
    draw_class,
    draw_scene,
    render_masks,
    render_split,
    siblings,
    telling_parts,
)
from fd2lib.data.plumage.families import all_classes
from fd2lib.ground import SettingError
from fd2lib.measure import part_masks

FINE = {"one": 1, "two": 2, "three": 3}  # parts in which siblings differ
BODY = ("back", "belly", "wing", "head", "cheek", "tail")


def differing(grain, first, second):
    """Parts and colours of the body in which two classes differ."""
    one, other = all_classes(grain)[first], all_classes(grain)[second]
    body = zip(BODY, one.family.plumage, other.family.plumage, strict=True)
    return [part for part in PARTS if one.marks[part] != other.marks[part]], [tone for tone, a, b in body if a != b]


def neighbours(grain):
    """How many things tell each class from the nearest other one."""
    return [min(sum(map(len, differing(grain, a, b))) for b in range(8) if b != a) for a in range(8)]


@pytest.mark.parametrize("grain", FINE)
def test_classes_differ_from_the_nearest_in_exactly_as_many_parts_as_the_grain_says(grain):
    assert neighbours(grain) == [FINE[grain]] * 8
    for a, b in itertools.combinations(range(8), 2):
        parts, body = differing(grain, a, b)
        related = all_classes(grain)[a].family is all_classes(grain)[b].family
        assert (b in siblings(a, 8, grain)) == related == (body == [])
        assert len(parts) == FINE[grain] if related else body
        if related:
            assert set(parts) == set(telling_parts(a, 8, grain)) == set(telling_parts(b, 8, grain))


def test_families_differ_in_more():
    assert min(neighbours("families")) > max(FINE.values())
    assert len({id(one.family) for one in all_classes("families")}) == 8
    assert all(siblings(k, 8, "families") == () and telling_parts(k, 8, "families") for k in range(8))


@pytest.mark.parametrize("grain", GRAINS[1:])
def test_names_are_unique_and_their_order_is_the_label_order(grain):
    names = class_names(8, grain)
    assert list(names) == sorted(set(names)) and len(names) == 8 == len(all_classes(grain))
    with pytest.raises(SettingError, match=rf"of grain '{grain}' has no set of 9 classes.*2 to 8"):
        class_names(9, grain)


def test_an_unknown_grain_is_refused():
    with pytest.raises(SettingError, match=r"grain 'tow'.*Did you mean 'two'"):
        draw(0, "train", 0, 8, 32, "tow")


@settings(max_examples=25)
@given(st.sampled_from(sorted(FINE)), st.integers(0, 7), st.integers(0, 2), st.integers(0, 10**6), st.integers(32, 96))
def test_swapping_siblings_changes_their_telling_parts_and_nothing_else(grain, first, which, index, size):
    second = siblings(first, 8, grain)[which]
    scene = draw_scene(5, "test", index)
    one, two = (draw_class(scene, label, 8, size, grain) for label in (first, second))
    parts = [PARTS.index(part) for part in differing(grain, first, second)[0]]
    either = one.masks[parts] | two.masks[parts]
    reach = 2 + int(np.ceil(3 * scene.blur * size))  # edge pixels below the masks' cover, and the reach of the blur
    allowed = binary_dilation(either.any(0), np.ones((3, 3)), iterations=reach)
    changed = (one.image != two.image).any(2)
    assert not (changed & ~allowed).any()
    assert all(changed[mask].any() for mask in either if mask.sum() >= 12)
    others = [part for part in range(len(PARTS)) if part not in parts]
    outside = ~binary_dilation(either.any(0), np.ones((3, 3)), iterations=2)
    assert ((one.masks[others] == two.masks[others]) | ~outside).all()


@pytest.mark.parametrize("grain", GRAINS[1:])
def test_a_set_has_the_classes_images_and_scenes_of_the_others(grain):
    data, base = (load_dataset(name, size=16, test_per_class=2) for name in (f"plumage_{grain}", "plumage"))
    assert data.classes == class_names(8, grain) and data.fingerprint != base.fingerprint
    assert data.train.names == base.train.names and torch.equal(data.train.labels, base.train.labels)
    assert torch.equal(data.train.images[:16], render_split(8, 60, 16, "train", grain=grain)[0][:16])
    # The scene is the same: corners, where there is no bird, are equal in nearly all images.
    corners = (data.train.images[..., :2, :2] == base.train.images[..., :2, :2]).flatten(1).all(1)
    assert corners.float().mean() > 0.9
    assert load_dataset(f"plumage_{grain}", size=16, classes="3", train_per_class=1).num_classes == 3
    assert f"`plumage_{grain}`" in format_card(f"plumage_{grain}") and "of one size" in format_card("plumage_two")


@pytest.mark.parametrize("grain", GRAINS[1:])
def test_masks_of_telling_parts_are_those_that_are_drawn(grain):
    data = load_dataset(f"plumage_{grain}", size=24, train_per_class=1, test_per_class=2)
    found = part_masks(data)
    for place in range(len(data.test)):
        one = draw(0, "test", place, 8, 24, grain)
        seen = one.masks[[PARTS.index(part) for part in one.parts]]
        assert np.array_equal(found.masks[place].numpy(), seen.any(0))
        assert found.counts[place] == seen.any((1, 2)).sum()
    everything = render_masks(8, 2, 24, "test", grain=grain)
    assert (found.masks & ~everything.any(1)).sum() == 0
