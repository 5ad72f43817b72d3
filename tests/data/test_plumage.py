"""The embedded birds: what is promised of every image, its masks and its name."""

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from fd2lib.data import plumage
from fd2lib.data.plumage import PARTS, draw, draw_class, draw_scene
from fd2lib.data.plumage.families import SIBLING_CODES, all_classes
from fd2lib.ground import SettingError


def worn(class_index):
    return dict(all_classes()[class_index].marks)


def differing(first, second):
    return [part for part in PARTS if worn(first)[part] != worn(second)[part]]


def test_same_arguments_give_the_same_bits():
    first, second = draw(3, "train", 17, 8, 64), draw(3, "train", 17, 8, 64)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.masks, second.masks)
    assert (first.label, first.parts) == (second.label, second.parts)


@pytest.mark.parametrize("other", [(4, "train", 17), (3, "test", 17), (3, "train", 25)])
def test_seed_split_and_index_each_change_the_scene(other):
    here, there = draw(3, "train", 17, 8, 32), draw(*other, 8, 32)
    assert here.label == there.label
    assert np.abs(here.image.astype(int) - there.image).mean() > 5


@pytest.mark.parametrize("size", [16, 33, 64, 97, 224])
def test_any_size_has_the_promised_shapes(size):
    drawn = draw(0, "test", 5, 12, size)
    assert drawn.image.shape == (size, size, 3) and drawn.image.dtype == np.uint8
    assert drawn.masks.shape == (len(PARTS), size, size) and drawn.masks.dtype == bool
    assert drawn.label == 5


@pytest.mark.parametrize("index", range(4))
def test_one_index_shows_the_same_bird_at_another_size(index):
    large, small = draw(0, "train", index, 8, 192).image, draw(0, "train", index, 8, 64).image
    reduced = large.reshape(64, 3, 64, 3, 3).mean((1, 3))
    elsewhere = draw(0, "train", index + 8, 8, 64).image
    assert np.abs(reduced - small).mean() < 4
    assert np.abs(reduced - elsewhere).mean() > 15


def test_a_class_looks_the_same_whatever_the_number_of_classes():
    assert np.array_equal(draw(0, "train", 3, 8, 48).image, draw(0, "train", 3, 64, 48).image)


def test_split_is_balanced_named_and_equal_to_single_draws():
    images, labels, names = plumage.render_split(6, 3, 32, "test", seed=2)
    assert images.shape == (18, 3, 32, 32) and images.dtype == torch.uint8 and images.is_contiguous()
    assert labels.dtype == torch.int64 and torch.bincount(labels).tolist() == [3] * 6
    assert names[17] == "plumage/test/00017" and len(set(names)) == 18
    assert np.array_equal(images[7].permute(1, 2, 0).numpy(), draw(2, "test", 7, 6, 32).image)


def test_masks_on_demand_equal_those_of_single_draws():
    masks = plumage.render_masks(6, 3, 32, "test", seed=2, indices=[7, 0])
    assert masks.shape == (2, len(PARTS), 32, 32) and masks.dtype == torch.bool
    assert np.array_equal(masks[0].numpy(), draw(2, "test", 7, 6, 32).masks)
    assert torch.equal(masks, plumage.render_masks(6, 3, 32, "test", seed=2)[[7, 0]])


def test_names_are_unique_and_their_order_is_the_label_order():
    names = plumage.class_names(64)
    assert list(names) == sorted(set(names)) and len(names) == 64 == plumage.MAX_CLASSES == len(all_classes())
    assert plumage.class_names(10) == names[:10]
    for family in range(16):
        assert len({name.split()[0] for name in names[4 * family : 4 * family + 4]}) == 1


def test_any_two_siblings_differ_in_two_parts_and_share_the_body():
    for first in range(0, 64, 4):
        for a, b in itertools.combinations(range(first, first + 4), 2):
            assert len(differing(a, b)) == 2
            assert all_classes()[a].family is all_classes()[b].family
    # Any two of the three parts name the class, so one of them may be hidden.
    for hidden in range(3):
        assert len({tuple(np.delete(code, hidden)) for code in SIBLING_CODES}) == 4


def test_telling_parts_are_those_in_which_the_present_siblings_differ():
    for k in range(64):
        union = {part for other in plumage.siblings(k, 64) for part in differing(k, other)}
        assert set(plumage.telling_parts(k, 64)) == union and len(union) == 3
    assert list(plumage.telling_parts(8, 10)) == differing(8, 9)
    assert plumage.siblings(8, 9) == () and len(plumage.telling_parts(8, 9)) == 3


def test_every_part_tells_some_family_apart():
    assert {part for k in range(64) for part in plumage.telling_parts(k, 64)} == set(PARTS)


@pytest.mark.parametrize("family", range(16))
def test_swapping_siblings_in_one_scene_changes_their_telling_parts_and_nothing_else(family):
    size = 96
    for index, (a, b) in enumerate(itertools.combinations(range(4 * family, 4 * family + 4), 2)):
        scene = draw_scene(5, "test", 6 * family + index)
        one, two = draw_class(scene, a, 64, size), draw_class(scene, b, 64, size)
        parts = [PARTS.index(part) for part in differing(a, b)]
        changed = (one.image != two.image).any(2)
        either = one.masks[parts] | two.masks[parts]
        # Edge pixels below the masks' cover, and the reach of the blur.
        reach = 2 + int(np.ceil(3 * scene.blur * size))
        allowed = binary_dilation(either.any(0), np.ones((3, 3)), iterations=reach)
        assert not (changed & ~allowed).any()
        assert all(changed[mask].any() for mask in either if mask.sum() >= 12)


def test_telling_parts_are_small_but_seen_in_nearly_every_image():
    areas = []
    for index in range(64):
        drawn = draw(0, "train", index, 64, 64)
        areas.append([drawn.masks[PARTS.index(part)].sum() for part in drawn.parts])
    areas = np.array(areas)
    assert ((areas >= 6).sum(1) >= 2).mean() > 0.95
    assert areas.sum(1).mean() / 64**2 < 0.06


def test_masks_of_different_parts_hardly_overlap():
    masks = np.stack([draw(0, "train", index, 64, 96).masks for index in range(16)])
    assert (masks.sum(1) > 1).mean() < 0.01


@pytest.mark.parametrize("count", [0, 1, 65, 8.0])
def test_a_number_of_classes_that_cannot_be_drawn_is_refused(count):
    for call in (lambda: draw(0, "train", 0, count, 64), lambda: plumage.class_names(count)):
        with pytest.raises(SettingError, match=rf"{count!r} classes.*2 to 64.*fewer classes"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw(0, "trian", 0, 8, 64), "unknown plumage split 'trian'.*Did you mean 'train'"),
        (lambda: draw(0, "train", -1, 8, 64), "index -1.*0 or more"),
        (lambda: draw(0, "train", 0, 8, 8), "size 8.*16 to 1024"),
        (lambda: plumage.render_split(8, 0, 64, "train"), "per_class=0"),
        (lambda: plumage.render_split(8, 1, 2000, "train"), "size 2000"),
        (lambda: plumage.render_masks(8, 1, 64, "test", indices=[8]), "0 to 7.*8"),
        (lambda: plumage.telling_parts(8, 8), "class index 8.*0 to 7"),
    ],
)
def test_other_mistakes_name_the_value_and_the_remedy(call, words):
    with pytest.raises(SettingError, match=words):
        call()
