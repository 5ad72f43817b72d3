"""Crops by matrix products: equal to slicing and resizing, differentiable, and torchvision's choice of boxes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError, make_generator
from fd2lib.views import crop_resize, random_resized_crop_boxes


def pictures(seed: int, batch: int, side: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(seed))


def sliced(images: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """The same with one slice and one resize per image."""
    parts = []
    for image, (row0, col0, row1, col1) in zip(images, boxes.int().tolist(), strict=True):
        part = image[None, :, row0:row1, col0:col1]
        parts.append(F.interpolate(part, size=(size, size), mode="bilinear", align_corners=False))
    return torch.cat(parts)


@given(seed=st.integers(0, 10**6), side=st.integers(1, 24), size=st.integers(1, 24), batch=st.integers(1, 4))
def test_whole_pixel_boxes_equal_slicing_and_interpolating(seed: int, side: int, size: int, batch: int) -> None:
    images = pictures(seed, batch, side)
    generator = torch.Generator().manual_seed(seed)
    ends = torch.rand(batch, 2, 2, generator=generator).sort(dim=1).values * side
    boxes = torch.cat([ends[:, 0].floor(), ends[:, 1].floor() + 1], dim=1).clamp_max(side)
    torch.testing.assert_close(crop_resize(images, boxes, size), sliced(images, boxes, size), rtol=1e-5, atol=2e-6)


@given(seed=st.integers(0, 10**6), side=st.integers(1, 20))
def test_the_full_box_is_the_identity_and_flipping_twice_too(seed: int, side: int) -> None:
    images = pictures(seed, 2, side)
    full = torch.tensor([[0.0, 0.0, side, side]])
    assert torch.equal(crop_resize(images, full, side), images)
    flip = torch.tensor([True, False])
    once = crop_resize(images, full, side, flip)
    assert torch.equal(once, torch.stack([images[0].flip(2), images[1]]))
    assert torch.equal(crop_resize(once, full, side, flip), images)


@given(
    bounds=st.lists(st.floats(0, 12, width=32), min_size=4, max_size=4), size=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_results_stay_within_the_values_of_the_image(bounds: list[float], size: int, seed: int) -> None:
    row0, row1 = sorted(bounds[:2])
    col0, col1 = sorted(bounds[2:])
    images = pictures(seed, 1, 12)
    crop = crop_resize(images, torch.tensor([[row0, col0, row1, col1]]), size)
    assert images.min() - 1e-6 <= crop.min() <= crop.max() <= images.max() + 1e-6


def test_pixels_outside_the_box_never_mix_in() -> None:
    images = torch.full((1, 1, 8, 8), 9.0)
    images[..., 2:6, 3:7] = 1.0
    crop = crop_resize(images, torch.tensor([[2.0, 3.0, 6.0, 7.0]]), 16)
    assert torch.equal(crop, torch.ones(1, 1, 16, 16))


def test_one_box_is_shared_by_all_images() -> None:
    images = pictures(0, 5, 10)
    box = torch.tensor([[1.0, 2.0, 8.0, 9.0]])
    shared = crop_resize(images, box, 7, torch.tensor([True]))
    torch.testing.assert_close(shared, crop_resize(images, box.expand(5, 4), 7, torch.ones(5, dtype=torch.bool)))


def test_boxes_between_pixels_shift_by_the_fraction() -> None:
    ramp = torch.arange(10.0).expand(1, 1, 10, 10)
    crop = crop_resize(ramp, torch.tensor([[0.0, 2.5, 10.0, 7.5]]), 5)
    torch.testing.assert_close(crop[0, 0, 0], torch.tensor([2.5, 3.5, 4.5, 5.5, 6.5]))


def test_gradients_are_those_of_the_interpolation() -> None:
    images = pictures(1, 2, 6, channels=2).double().requires_grad_()
    boxes = torch.tensor([[0.0, 1.0, 4.0, 6.0], [1.5, 0.25, 5.0, 3.0]])
    assert torch.autograd.gradcheck(lambda x: crop_resize(x, boxes, 5, torch.tensor([True, False])), images)


def test_autocast_keeps_pixels_exact() -> None:
    images, boxes = pictures(2, 2, 9), torch.tensor([[0.0, 1.0, 7.0, 9.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = crop_resize(images, boxes, 9)
    assert torch.equal(mixed, crop_resize(images, boxes, 9))


def test_shapes_that_do_not_fit_are_refused() -> None:
    images = pictures(0, 3, 8)
    with pytest.raises(ShapeError, match="boxes have shape"):
        crop_resize(images, torch.zeros(2, 4), 8)
    with pytest.raises(ShapeError, match="expected float"):
        crop_resize((images * 255).to(torch.uint8), torch.zeros(3, 4), 8)
    with pytest.raises(ShapeError, match="flip has shape"):
        crop_resize(images, torch.zeros(3, 4), 8, torch.zeros(2, dtype=torch.bool))


@given(seed=st.integers(0, 10**6), size=st.integers(4, 224), min_scale=st.floats(0.01, 1))
def test_random_boxes_lie_in_the_image_and_within_scale_and_shape(seed: int, size: int, min_scale: float) -> None:
    boxes = random_resized_crop_boxes(32, size, make_generator(seed), min_scale)
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.shape == (32, 4)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= size).all()
    assert torch.equal(boxes, boxes.round())
    # Sides are rounded to whole pixels, so scale and shape hold for sides that are half a pixel off.
    assert ((height + 0.5) * (width + 0.5) >= min_scale * size * size).all()
    assert ((width - 0.5) / (height + 0.5) <= 4 / 3).all() and ((width + 0.5) / (height - 0.5) >= 3 / 4).all()


def test_random_boxes_are_distributed_as_torchvisions() -> None:
    from torchvision.transforms import RandomResizedCrop

    size, count = 32, 3000
    boxes = random_resized_crop_boxes(count, size, make_generator("boxes"))
    image = torch.zeros(3, size, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = [RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(count)]
    theirs = torch.tensor(theirs, dtype=torch.float32)  # row, column, height, width
    ours = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1)
    standard_error = theirs.std(0) * (2 / count) ** 0.5
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 4 * standard_error).all()
    assert ((ours.std(0) - theirs.std(0)).abs() < 4 * standard_error).all()


def test_boxes_follow_the_generator() -> None:
    first = random_resized_crop_boxes(4, 64, make_generator(1))
    assert torch.equal(first, random_resized_crop_boxes(4, 64, make_generator(1)))
    assert not torch.equal(first, random_resized_crop_boxes(4, 64, make_generator(2)))


def test_the_centre_is_taken_where_no_crop_fits() -> None:
    boxes = random_resized_crop_boxes(3, 40, make_generator(0), 1.0, ratio=(2.0, 2.0))
    assert boxes.tolist() == [[10, 0, 30, 40]] * 3
