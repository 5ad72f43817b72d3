"""Training views: ranges, identities, colour arithmetic, and the generator as the only source of chance."""

import colorsys

import pytest
import torch

from fd2lib.ground import ShapeError, make_generator
from fd2lib.views import colour_jitter, rotate, shift_hue, training_views


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def draws(seed: int, count: int) -> torch.Tensor:
    return torch.rand(6, count, generator=make_generator(seed))


def per_image(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def test_views_stay_in_range_and_follow_the_generator(images: torch.Tensor) -> None:
    before = images.clone()
    views = training_views(images, draws(3, 6), 0.4, 15.0)
    assert views.shape == images.shape
    assert views.min() >= 0 and views.max() <= 1 + 1e-6
    assert torch.equal(images, before)
    assert torch.equal(views, training_views(images, draws(3, 6), 0.4, 15.0))
    assert not torch.equal(views, training_views(images, draws(4, 6), 0.4, 15.0))


def test_the_global_generator_is_neither_read_nor_advanced(images: torch.Tensor) -> None:
    state = torch.random.get_rng_state()
    training_views(images, draws(3, 6), 0.2, 15.0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_without_jitter_and_rotation_images_are_flipped_or_left(images: torch.Tensor) -> None:
    views = training_views(images, draws(1, 6), 0.0, 0.0)
    flipped = [torch.equal(view, image.flip(2)) for view, image in zip(views, images, strict=True)]
    kept = [torch.equal(view, image) for view, image in zip(views, images, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert any(flipped) and any(kept)


def test_every_image_gets_its_own_draw() -> None:
    same = torch.full((8, 3, 4, 4), 0.5)
    same[:, 0] = 0.7
    views = training_views(same, draws(2, 8), 0.2, 0.0)
    assert len(views.flatten(1).unique(dim=0)) == 8


def test_factors_of_one_and_no_hue_change_nothing(images: torch.Tensor) -> None:
    one = torch.ones(6, 1, 1, 1)
    torch.testing.assert_close(colour_jitter(images, one, one, one, hue=0 * one), images, rtol=0, atol=1e-6)


def test_colour_factors_equal_torchvisions(images: torch.Tensor) -> None:
    from torchvision.transforms import functional as TF

    one, factor = torch.ones(6, 1, 1, 1), torch.full((6, 1, 1, 1), 1.3)
    zero = 0 * one
    pairs = [
        (colour_jitter(images, factor, one, one, hue=zero), TF.adjust_brightness(images, 1.3)),
        (colour_jitter(images, one, factor, one, hue=zero), TF.adjust_contrast(images, 1.3)),
        (colour_jitter(images, one, one, factor, hue=zero), TF.adjust_saturation(images, 1.3)),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)  # torchvision rounds its luma weights differently


@pytest.mark.parametrize("turns", [-0.5, -0.1, 0.05, 1 / 3])
def test_hue_equals_the_standard_librarys(images: torch.Tensor, turns: float) -> None:
    images[0, :, 0, 0] = 0.5  # grey has no hue
    shifted = shift_hue(images[:1], per_image(turns))
    for row in range(4):
        for column in range(4):
            hue, saturation, value = colorsys.rgb_to_hsv(*images[0, :, row, column].tolist())
            expected = torch.tensor(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))
            torch.testing.assert_close(shifted[0, :, row, column], expected, rtol=0, atol=1e-5)


def test_quarter_turns_are_those_of_the_pixel_grid(images: torch.Tensor) -> None:
    turned = rotate(images[:2], torch.tensor([90.0, 0.0]))
    torch.testing.assert_close(turned[0], torch.rot90(images[0], 1, (1, 2)), rtol=0, atol=1e-4)
    torch.testing.assert_close(turned[1], images[1], rtol=0, atol=1e-5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected \[B, 3, S, S\]"):
        training_views(torch.zeros(2, 1, 8, 8), draws(0, 2), 0.2, 15.0)
    with pytest.raises(ShapeError, match=r"expected \[B, 3, S, S\] and \[6, B\]"):
        training_views(torch.zeros(2, 3, 8, 8), draws(0, 3), 0.2, 15.0)
