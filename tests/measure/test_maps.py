"""Attention maps and the mass they put on masks: worked by hand, and what must hold for any map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import SettingError, ShapeError
from fd2lib.measure import attention_maps, attention_mass, average_map, centre_prior, channel_mean_map, reachable_mass
from fd2lib.models import class_activation_map


def random_case(seed, count=3, high=4, wide=5, size=20):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(count, high, wide, generator=generator)
    return maps, torch.rand(count, size, size, generator=generator) < 0.3


def test_class_activation_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # [1, 2, 1, 2]
    weights = torch.tensor([[9.0, 9.0], [1.0, -0.5]])
    assert class_activation_map(features, weights, torch.tensor([1])).tolist() == [[[0.0, 2.0]]]  # 1 − 1.5 is cut
    with pytest.raises(ShapeError, match="linear classifier"):
        class_activation_map(features, torch.ones(2, 3), torch.tensor([1]))


def test_channel_mean_takes_the_positive_part():
    features = torch.tensor([[[[-4.0, 2.0]], [[2.0, 4.0]]]])
    assert channel_mean_map(features).tolist() == [[[1.0, 3.0]]]


def test_mass_by_hand():
    maps = torch.tensor([[[3.0, 1.0], [0.0, 0.0]]])
    masks = torch.zeros(2, 2, 2, dtype=torch.bool)
    masks[0, 0, 0] = masks[1, :, 1] = True
    assert attention_mass(maps, masks).tolist() == [0.75, 0.25]  # one map for both masks


@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_mass_is_a_share_and_does_not_depend_on_scale(seed, factor):
    maps, masks = random_case(seed)
    mass = attention_mass(maps, masks)
    assert ((mass >= 0) & (mass <= 1)).all()
    assert torch.allclose(attention_mass(maps, ~masks), 1 - mass)
    assert torch.allclose(attention_mass(factor * maps, masks), mass, atol=1e-6)
    order = torch.tensor([2, 0, 1])
    assert torch.equal(attention_mass(maps[order], masks[order]), mass[order])


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_an_even_map_has_exactly_chance(seed, level):
    maps, masks = random_case(seed)
    chance = masks.double().mean((1, 2))
    assert torch.allclose(attention_mass(torch.full_like(maps, level), masks), chance, rtol=1e-12, atol=0)
    assert torch.allclose(attention_mass(torch.zeros_like(maps), masks), chance, rtol=1e-12, atol=0)  # blank: even


@given(st.integers(0, 10_000))
def test_no_map_exceeds_what_is_reachable(seed):
    maps, masks = random_case(seed)
    ceiling = reachable_mass(masks, (4, 5))
    assert (attention_mass(maps, masks) <= ceiling + 1e-9).all()
    one = torch.eye(20).view(-1, 4, 5)
    best = torch.stack([attention_mass(one, mask.expand(20, -1, -1)).max() for mask in masks])
    assert torch.allclose(best, ceiling)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(SettingError, match="negative"):
        attention_mass(torch.full((1, 2, 2), -1.0), torch.ones(1, 4, 4, dtype=torch.bool))
    with pytest.raises(ShapeError, match="do not fit"):
        attention_mass(torch.ones(2, 2, 2), torch.ones(3, 4, 4, dtype=torch.bool))


def test_centre_prior_is_symmetric_and_peaks_in_the_middle():
    prior = centre_prior(9)
    assert prior.shape == (1, 9, 9) and prior.argmax() == 40
    assert torch.allclose(prior, prior.flip(1)) and torch.allclose(prior, prior.flip(2))
    assert torch.allclose(prior, prior.transpose(1, 2))
    step = prior[0, 4, 4] / prior[0, 4, 5]  # one pixel is 1/9 of the side, the width a quarter
    assert step.item() == pytest.approx(torch.tensor(0.5 * (4 / 9) ** 2).exp().item(), rel=1e-6)


def test_every_map_counts_alike_in_the_average():
    maps = torch.tensor([[[1.0, 0.0]], [[0.0, 100.0]], [[0.0, 0.0]]])
    assert average_map(maps).tolist() == [[[0.5, 0.5]]]


def test_maps_of_both_kinds_of_teachers(teacher, images, labels):
    maps = attention_maps(teacher, images, labels, batch_size=4)
    kinds = {"class_activation", "channel_mean"} | ({"head_attention"} if teacher.head is not None else set())
    assert maps.keys() == kinds
    out = teacher(teacher.normalize(images.float() / 255))
    weights = teacher.backbone.network.classifier.weight
    own = torch.einsum("bc,bchw->bhw", weights[labels], out.features).clamp_min(0)
    assert torch.allclose(maps["class_activation"], own, atol=1e-5)
    assert torch.allclose(maps["channel_mean"], out.features.mean(1), atol=1e-5)
    if teacher.head is not None:
        assert torch.allclose(maps["head_attention"], out.attention.attention_maps.mean(1), atol=1e-5)
    assert all(values.min() >= 0 for values in maps.values())
