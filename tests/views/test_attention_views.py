"""Attention crop and drop: the release's values and edge cases."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError
from fd2lib.views import attention_boxes, attention_crop, attention_drop


@pytest.mark.parametrize("threshold", [0.4, 0.6])
def test_crops_match_the_release(golden, threshold: float) -> None:
    case = golden("attention_augment")
    crop = attention_crop(case["images"], case["attention"], threshold)
    expected = case[f"crop_theta_{threshold}"]
    torch.testing.assert_close(crop, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_drops_match_the_release(golden, threshold: float) -> None:
    case = golden("attention_augment")
    drop = attention_drop(case["images"], case["attention"], threshold)
    torch.testing.assert_close(drop, case[f"drop_theta_{threshold}"], rtol=1e-5, atol=0)


def test_thresholds_may_differ_between_images(golden) -> None:
    case = golden("attention_augment")
    crop = attention_crop(case["images"], case["attention"], torch.tensor([0.4, 0.6, 0.4, 0.6]))
    expected = torch.stack([case[f"crop_theta_{t}"][i] for i, t in enumerate((0.4, 0.6, 0.4, 0.6))])
    torch.testing.assert_close(crop, expected, rtol=1e-5, atol=1e-4)


@given(seed=st.integers(0, 10**6), side=st.integers(8, 40), cells=st.integers(1, 7), threshold=st.floats(0.05, 1))
def test_boxes_hold_the_peak_and_stay_inside(seed: int, side: int, cells: int, threshold: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(3, 1, cells, cells, generator=generator)
    images = torch.rand(3, 3, side, side, generator=generator)
    boxes = attention_boxes(images, attention, threshold, padding=0.1)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= side).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert attention_crop(images, attention, threshold).shape == images.shape


def test_bounds_are_padded_truncated_clipped_and_exclusive_above() -> None:
    images = torch.zeros(1, 3, 56, 56)
    attention = torch.zeros(1, 1, 56, 56)
    attention[..., 20:31, 2:50] = 1.0
    # Rows 20 … 30 and columns 2 … 49, padded by 5.6: int(14.4), int(35.6), max(-3.6, 0), int(54.6).
    assert attention_boxes(images, attention, 0.5).tolist() == [[14, 0, 35, 54]]


def test_a_map_without_attention_keeps_the_image_and_drops_all_of_it() -> None:
    images, attention = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 4, 4)
    assert torch.equal(attention_crop(images, attention, 0.5), images)
    assert torch.equal(attention_drop(images, attention, 0.5), torch.zeros_like(images))


def test_maps_get_no_gradient() -> None:
    images, attention = torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 1, 4, 4, requires_grad=True)
    (attention_crop(images, attention, 0.5).sum() + attention_drop(images, attention, 0.5).sum()).backward()
    assert attention.grad is None
    assert images.grad.abs().sum() > 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected \[B, C, S, S\] and \[B, 1, h, w\]"):
        attention_crop(torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 4, 4), 0.5)
