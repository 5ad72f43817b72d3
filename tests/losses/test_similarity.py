"""The similarity constraint: the release's values, its range, and what it ignores."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError
from fd2lib.losses import similarity_loss


def draw(seed: int, images: int, earlier: int, maps: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    now = torch.rand(images, maps, side, side, generator=generator)
    return now, torch.rand(images, earlier, maps, side, side, generator=generator)


sizes = {
    "seed": st.integers(0, 10**6),
    "images": st.integers(1, 4),
    "earlier": st.integers(1, 3),
    "maps": st.integers(1, 4),
    "side": st.integers(1, 4),
}


def test_value_and_gradient_match_the_release(golden) -> None:
    case = golden("similarity")
    attention = case["attention"].requires_grad_()
    loss = similarity_loss(attention, case["previous_attention"][None])
    torch.testing.assert_close(loss, case["similarity"], rtol=1e-5, atol=0)
    loss.backward()
    expected = case["grad_attention"]
    torch.testing.assert_close(attention.grad, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@given(**sizes)
def test_it_lies_in_the_unit_interval(seed: int, images: int, earlier: int, maps: int, side: int) -> None:
    assert 0 <= similarity_loss(*draw(seed, images, earlier, maps, side)) <= 1


@given(**sizes)
def test_the_order_of_earlier_images_does_not_matter(
    seed: int, images: int, earlier: int, maps: int, side: int
) -> None:
    now, before = draw(seed, images, earlier, maps, side)
    order = torch.randperm(earlier, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(similarity_loss(now, before[:, order]), similarity_loss(now, before))


def test_several_classes_are_averaged() -> None:
    now, before = draw(0, 3, 2, 4, 5)
    each = torch.stack([similarity_loss(now[i : i + 1], before[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(similarity_loss(now, before), each.mean())


def test_equal_maps_are_wholly_similar_and_pull_nowhere() -> None:
    now, _ = draw(1, 2, 1, 3, 4)
    now.requires_grad_()
    loss = similarity_loss(now, now.detach()[:, None])
    loss.backward()
    assert loss == 1
    assert torch.equal(now.grad, torch.zeros_like(now))


def test_maps_that_never_overlap_are_less_similar_than_maps_that_do() -> None:
    now = torch.zeros(1, 1, 2, 2)
    now[..., 0, 0] = 1
    apart = torch.zeros(1, 1, 1, 2, 2)
    apart[..., 1, 1] = 1
    assert similarity_loss(now, apart) < similarity_loss(now, now[:, None] + 0.2 * apart)


def test_the_first_image_of_a_group_has_no_loss() -> None:
    now, before = draw(1, 2, 1, 3, 4)
    assert similarity_loss(now, before[:, :0]) == 0


def test_gradients_are_those_of_the_formula() -> None:
    now, before = (t.double() for t in draw(0, 2, 2, 2, 3))
    assert torch.autograd.gradcheck(lambda a: similarity_loss(a, before), now.requires_grad_())


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (3, 1, 3, 4, 4), (2, 1, 2, 4, 4)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected \[N, M, h, w\]"):
        similarity_loss(torch.zeros(2, 3, 4, 4), torch.zeros(shape))
