"""Diversity, distinctness and nearest images: against every pair counted one by one."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError
from fd2lib.measure import nearest_images, pairwise_similarity, rms_distance, spread_and_separation, unit_rows


def random_set(seed, sizes=(3, 2, 4), dim=5):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return torch.randn(len(labels), dim, generator=generator), labels


def test_spread_by_hand():
    features = torch.tensor([[0.0, 0.0], [0.0, 2.0], [3.0, 0.0], [3.0, 2.0]])
    spread = spread_and_separation(features, torch.tensor([5, 5, 7, 7]))
    # Within: 2² over two entries. Between: two pairs at 3², two at 3² + 2², over two entries.
    assert spread.within == pytest.approx(2**0.5)
    assert spread.between == pytest.approx((11 / 2) ** 0.5)
    assert spread.ratio == pytest.approx((11 / 4) ** 0.5)


@given(st.integers(0, 10_000), st.floats(0.1, 9), st.floats(-5, 5))
def test_spread_is_the_mean_over_pairs(seed, factor, shift):
    features, labels = random_set(seed)
    squared = torch.cdist(features.double(), features.double()).square() / 5
    members = [(labels == label).nonzero()[:, 0].tolist() for label in range(3)]
    within = [torch.stack([squared[i, j] for i, j in itertools.combinations(m, 2)]).mean() for m in members]
    pairs = itertools.combinations(members, 2)
    between = [torch.stack([squared[i, j] for i in a for j in b]).mean() for a, b in pairs]
    spread = spread_and_separation(features, labels)
    assert spread.within == pytest.approx(torch.stack(within).mean().sqrt().item(), rel=1e-6)
    assert spread.between == pytest.approx(torch.stack(between).mean().sqrt().item(), rel=1e-6)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    assert spread_and_separation(features[order], labels[order]) == pytest.approx(spread, rel=1e-9)
    moved = spread_and_separation(factor * features.double() + shift, labels)
    assert moved == pytest.approx([factor * spread.within, factor * spread.between], rel=1e-6)
    assert moved.ratio == pytest.approx(spread.ratio, rel=1e-6)


@given(st.integers(0, 10_000))
def test_similarity_is_the_mean_over_pairs(seed):
    vectors, labels = random_set(seed)
    rows = torch.nn.functional.normalize(vectors.double() - vectors.double().mean(0), dim=1)
    cosine = rows @ rows.T
    members = [(labels == label).nonzero()[:, 0].tolist() for label in range(3)]
    expected = [torch.stack([cosine[i, j] for i, j in itertools.combinations(m, 2)]).mean() for m in members]
    found = pairwise_similarity(vectors, labels, vectors.double().mean(0))
    assert torch.allclose(found, torch.stack(expected), atol=1e-9) and (found.abs() <= 1).all()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(pairwise_similarity(vectors[order], labels[order], vectors.double().mean(0)), found)
    assert torch.allclose(pairwise_similarity(7 * vectors, labels), pairwise_similarity(vectors, labels))


def test_similarity_of_equal_opposite_and_empty_images():
    vectors = torch.tensor([[1.0, 1.0], [2.0, 2.0], [1.0, 0.0], [-3.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert pairwise_similarity(vectors, labels).tolist() == pytest.approx([1.0, -1.0, 0.0])


def test_bytes_are_shares_of_the_range():
    pixels = torch.tensor([[0, 255], [51, 0]], dtype=torch.uint8)
    assert unit_rows(pixels).tolist() == [[0.0, 1.0], [0.2, 0.0]]
    assert rms_distance(pixels, pixels.flip(0)).tolist() == pytest.approx([((0.04 + 1) / 2) ** 0.5] * 2)
    spread = spread_and_separation(
        torch.tensor([[0], [51], [255], [204]], dtype=torch.uint8), torch.tensor([0, 0, 1, 1])
    )
    assert spread.within == pytest.approx(0.2)


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 0, 0]])
def test_sets_without_pairs_are_refused(labels):
    with pytest.raises(ShapeError, match="at least two"):
        spread_and_separation(torch.randn(3, 2), torch.tensor(labels))


@given(st.integers(0, 10_000), st.integers(2, 600))
def test_nearest_is_the_minimum_over_the_pool(seed, size):
    generator = torch.Generator().manual_seed(seed)
    queries, pool = torch.randn(4, 3, generator=generator), torch.randn(size, 3, generator=generator)
    distances = torch.cdist(queries.double(), pool.double()) / 3**0.5
    found = nearest_images(queries, pool)
    assert torch.allclose(found.distance, distances.min(1).values, atol=1e-9)
    assert torch.equal(found.place, distances.argmin(1))


def test_a_copy_is_at_zero_and_may_be_left_out():
    pool = torch.randint(0, 256, (300, 3, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    copies = nearest_images(pool[[7, 290]], pool)
    assert copies.distance.tolist() == [0, 0] and copies.place.tolist() == [7, 290]
    others = nearest_images(pool, pool, leave_out=torch.arange(300))
    assert (others.distance > 0).all() and (others.place != torch.arange(300)).all()
    with pytest.raises(ShapeError, match="cannot compare"):
        nearest_images(pool, pool[:1], leave_out=torch.zeros(300))
