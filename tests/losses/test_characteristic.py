"""The characteristic constraint: the release's values, its range, and gradients where distances vanish."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import ShapeError
from fd2lib.losses import characteristic_loss, characteristic_terms, pairwise_relative_distance, relative_distance


def draw(seed: int, batch: int, classes: int, dim: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, dim, generator=generator)
    prototypes = torch.randn(classes, dim, generator=generator)
    return features, torch.randint(classes, (batch,), generator=generator), prototypes


sizes = {
    "seed": st.integers(0, 10**6),
    "batch": st.integers(1, 6),
    "classes": st.integers(2, 7),
    "dim": st.integers(1, 9),
}


def test_value_terms_and_gradient_match_the_release(golden) -> None:
    case = golden("characteristic")
    features = case["part_features"].requires_grad_()
    terms = characteristic_terms(features, case["labels"], case["prototypes"])
    torch.testing.assert_close(terms.attract, case["attract"], rtol=1e-5, atol=0)
    torch.testing.assert_close(terms.repel, case["repel"], rtol=1e-5, atol=0)
    loss = characteristic_loss(features, case["labels"], case["prototypes"])
    torch.testing.assert_close(loss, case["characteristic"], rtol=1e-5, atol=0)
    loss.backward()
    expected = case["grad_part_features"]
    torch.testing.assert_close(features.grad, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@given(**sizes)
def test_it_lies_in_the_unit_interval(seed: int, batch: int, classes: int, dim: int) -> None:
    assert 0 <= characteristic_loss(*draw(seed, batch, classes, dim)) <= 1


@given(**sizes)
def test_renaming_classes_and_reordering_images_changes_nothing(seed: int, batch: int, classes: int, dim: int) -> None:
    features, labels, prototypes = draw(seed, batch, classes, dim)
    generator = torch.Generator().manual_seed(seed + 1)
    rename, reorder = torch.randperm(classes, generator=generator), torch.randperm(batch, generator=generator)
    renamed = torch.empty_like(prototypes)
    renamed[rename] = prototypes
    again = characteristic_loss(features[reorder], rename[labels][reorder], renamed)
    torch.testing.assert_close(again, characteristic_loss(features, labels, prototypes), rtol=1e-4, atol=1e-5)


@given(**sizes)
def test_one_product_equals_a_loop_over_images_and_classes(seed: int, batch: int, classes: int, dim: int) -> None:
    features, labels, prototypes = (t.double() if t.is_floating_point() else t for t in draw(seed, batch, classes, dim))
    total = 0.0
    for feature, label in zip(features, labels.tolist(), strict=True):
        far = [relative_distance(feature, prototypes[k]) for k in range(classes) if k != label]
        total += 0.5 * relative_distance(feature, prototypes[label]) + 0.5 * (1 - sum(far) / len(far))
    torch.testing.assert_close(characteristic_loss(features, labels, prototypes), total / batch, rtol=1e-6, atol=1e-6)


def test_moving_to_the_own_prototype_lowers_it() -> None:
    features, labels, prototypes = draw(3, 4, 5, 16)
    nearer = 0.5 * features + 0.5 * prototypes[labels]
    assert characteristic_loss(nearer, labels, prototypes) < characteristic_loss(features, labels, prototypes)


def test_gradients_are_finite_where_features_equal_prototypes_or_vanish() -> None:
    prototypes = torch.eye(3, 8)
    prototypes[2] = 0
    features = torch.stack([prototypes[0], prototypes[1], torch.zeros(8)]).requires_grad_()
    characteristic_loss(features, torch.tensor([0, 0, 2]), prototypes).backward()
    assert features.grad.isfinite().all()


def test_gradients_are_those_of_the_formula() -> None:
    features, labels, prototypes = (t.double() if t.is_floating_point() else t for t in draw(0, 3, 4, 5))
    assert torch.autograd.gradcheck(lambda f: characteristic_loss(f, labels, prototypes), features.requires_grad_())


def test_half_precision_features_are_widened() -> None:
    features, labels, prototypes = draw(1, 4, 5, 32)
    half = characteristic_loss(features.bfloat16(), labels, prototypes)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, characteristic_loss(features.bfloat16().float(), labels, prototypes))


def test_autocast_does_not_lower_the_precision() -> None:
    features, labels, prototypes = draw(1, 4, 5, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = characteristic_loss(features, labels, prototypes)
    assert torch.equal(mixed, characteristic_loss(features, labels, prototypes))


def test_a_single_class_has_no_other_to_avoid() -> None:
    features, labels, prototypes = draw(2, 3, 1, 4)
    assert characteristic_terms(features, labels, prototypes).repel == 0


def test_pairwise_distances_equal_direct_ones() -> None:
    features, _, prototypes = draw(5, 6, 7, 20)
    direct = relative_distance(features[:, None], prototypes[None])
    torch.testing.assert_close(pairwise_relative_distance(features, prototypes), direct, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("features", "labels"), [((4, 6), (4,)), ((4, 5), (3,)), ((4, 5), (4, 1))])
def test_shapes_that_do_not_fit_are_refused(features: tuple[int, ...], labels: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        characteristic_loss(torch.zeros(features), torch.zeros(labels, dtype=torch.int64), torch.zeros(3, 5))
