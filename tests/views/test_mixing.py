"""CutMix and mosaics: the release's values, and what they leave alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError, make_generator
from fd2lib.views import box_around, cutmix, cutmix_box, tile_mosaic


def test_cutmix_matches_the_release(golden) -> None:
    case = golden("cutmix")
    assert torch.equal(cutmix(case["images"], case["index"], case["bbox_r0_c0_r1_c1"]), case["mixed"])


def test_the_releases_box_follows_from_its_share_and_a_centre(golden) -> None:
    case = golden("cutmix")
    box = tuple(case["bbox_r0_c0_r1_c1"].tolist())
    possible = {box_around(32, float(case["lam"]), row, column) for row in range(32) for column in range(32)}
    assert box in possible


@given(seed=st.integers(0, 10**6), side=st.integers(1, 20))
def test_no_permutation_or_no_box_changes_nothing(seed: int, side: int) -> None:
    images = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(seed))
    box, _ = cutmix_box(side, make_generator(seed))
    assert torch.equal(cutmix(images, torch.arange(3), box), images)
    assert torch.equal(cutmix(images, torch.tensor([1, 2, 0]), (0, 0, 0, side)), images)
    whole = cutmix(images, torch.tensor([1, 2, 0]), (0, 0, side, side))
    assert torch.equal(whole, images[[1, 2, 0]])


@given(seed=st.integers(0, 10**6), side=st.integers(1, 64))
def test_boxes_stay_inside_and_say_what_share_is_kept(seed: int, side: int) -> None:
    box, kept = cutmix_box(side, make_generator(seed))
    assert 0 <= box[0] <= box[2] <= side and 0 <= box[1] <= box[3] <= side
    black_and_white = torch.stack([torch.zeros(1, side, side), torch.ones(1, side, side)])
    mixed = cutmix(black_and_white, torch.tensor([1, 0]), box)
    assert mixed[0].mean().item() == pytest.approx(1 - kept, abs=1e-5)


def test_images_are_not_changed_in_place() -> None:
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    cutmix(images, torch.tensor([1, 0]), (0, 0, 4, 4))
    assert torch.equal(images, before)


def test_cutmix_refuses_a_box_outside_and_a_wrong_index() -> None:
    with pytest.raises(ShapeError, match="leaves images"):
        cutmix(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0]), (0, 0, 9, 4))
    with pytest.raises(ShapeError, match="index has shape"):
        cutmix(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0, 1]), (0, 0, 4, 4))


def test_mosaic_matches_the_release(golden) -> None:
    case = golden("mosaic")
    assert torch.equal(tile_mosaic(case["patches"], int(case["mosaic_size"])), case["mosaic"])


@given(side=st.integers(1, 4), size=st.integers(4, 40), patch=st.integers(1, 12))
def test_remainder_pixels_go_to_the_first_rows_and_columns(side: int, size: int, patch: int) -> None:
    values = torch.arange(float(side * side)).view(-1, 1, 1, 1).expand(-1, 3, patch, patch)
    mosaic = tile_mosaic(values, size)
    assert mosaic.shape == (1, 3, size, size)
    widths = torch.unique_consecutive(mosaic[0, 0, 0], return_counts=True)[1].tolist()
    heights = torch.unique_consecutive(mosaic[0, 0, :, 0], return_counts=True)[1].tolist()
    assert widths == heights == [size // side + 1] * (size % side) + [size // side] * (side - size % side)
    assert mosaic.unique().tolist() == values.unique().tolist()


def test_patches_that_fit_are_placed_as_they_are_for_one_and_for_many() -> None:
    patches = torch.rand(5, 4, 3, 8, 8)
    mosaics = tile_mosaic(patches, 16)
    assert torch.equal(mosaics[2, :, :8, 8:], patches[2, 1])
    assert torch.equal(mosaics[2:3], tile_mosaic(patches[2], 16))


@pytest.mark.parametrize("shape", [(3, 3, 8, 8), (0, 3, 8, 8), (3, 8, 8)])
def test_a_number_of_patches_that_is_no_square_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        tile_mosaic(torch.zeros(shape), 16)
