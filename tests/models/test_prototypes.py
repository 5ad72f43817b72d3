"""Class prototypes: the release's step, the paper's average, and batches with repeated classes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import SettingError, ShapeError
from fd2lib.models import ClassPrototypes


def draw(seed: int, batch: int, classes: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = F.normalize(torch.randn(batch, dim, generator=generator), dim=1)
    return features, torch.randint(classes, (batch,), generator=generator)


sizes = {
    "seed": st.integers(0, 10**6),
    "batch": st.integers(1, 8),
    "classes": st.integers(1, 5),
    "dim": st.integers(1, 6),
}


def test_the_release_rule_matches_the_release(golden) -> None:
    case = golden("prototype_update")
    classes, dim = case["prototypes_before"].shape
    prototypes = ClassPrototypes(classes, dim, "release", float(case["rate"]))
    prototypes.prototypes.copy_(case["prototypes_before"])
    prototypes.update(case["part_features"], case["labels"])
    torch.testing.assert_close(prototypes.prototypes, case["prototypes_after"], rtol=1e-5, atol=1e-6)


@given(**sizes)
def test_ema_prototypes_stay_in_the_unit_ball(seed: int, batch: int, classes: int, dim: int) -> None:
    prototypes = ClassPrototypes(classes, dim, "ema", 0.3)
    for step in range(4):
        prototypes.update(*draw(seed + step, batch, classes, dim))
    assert (prototypes.prototypes.norm(dim=1) <= 1 + 1e-6).all()


@given(rule=st.sampled_from(["ema", "release"]), **sizes)
def test_an_update_equals_a_loop_over_classes(rule: str, seed: int, batch: int, classes: int, dim: int) -> None:
    prototypes = ClassPrototypes(classes, dim, rule, 0.05)
    prototypes.update(*draw(seed, batch, classes, dim))
    before = prototypes.prototypes.clone()
    features, labels = draw(seed + 1, batch, classes, dim)
    prototypes.update(features, labels)
    for label in range(classes):
        expected = before[label]
        if (labels == label).any():
            mean = features[labels == label].mean(0)
            if rule == "ema":
                expected = 0.95 * expected + 0.05 * F.normalize(mean, dim=0)
            else:
                expected = expected + 0.05 * (mean - F.normalize(expected, dim=0))
        torch.testing.assert_close(prototypes.prototypes[label], expected, rtol=1e-4, atol=1e-5)


@given(**sizes)
def test_the_order_of_images_does_not_matter(seed: int, batch: int, classes: int, dim: int) -> None:
    features, labels = draw(seed, batch, classes, dim)
    order = torch.randperm(batch, generator=torch.Generator().manual_seed(seed))
    first, second = ClassPrototypes(classes, dim), ClassPrototypes(classes, dim)
    first.update(features, labels)
    second.update(features[order], labels[order])
    torch.testing.assert_close(first.prototypes, second.prototypes, rtol=1e-4, atol=1e-6)


def test_release_prototypes_are_a_fraction_of_the_last_feature() -> None:
    prototypes = ClassPrototypes(1, 8, "release", 0.05)
    for seed in range(5):
        features, labels = draw(seed, 1, 1, 8)
        prototypes.update(features, labels)
    torch.testing.assert_close(prototypes.prototypes, 0.05 * features, rtol=1e-4, atol=1e-6)


def test_unit_is_idempotent_and_keeps_unseen_classes_at_zero() -> None:
    prototypes = ClassPrototypes(3, 4)
    prototypes.update(*draw(0, 1, 1, 4))
    unit = prototypes.unit()
    torch.testing.assert_close(unit.norm(dim=1), torch.tensor([1.0, 0.0, 0.0]))
    prototypes.prototypes.copy_(unit)
    torch.testing.assert_close(prototypes.unit(), unit)


def test_updates_take_no_gradient_and_travel_in_the_state_dict() -> None:
    prototypes = ClassPrototypes(3, 4)
    features, labels = draw(0, 2, 3, 4)
    prototypes.update(features.requires_grad_(), labels)
    assert not prototypes.prototypes.requires_grad
    again = ClassPrototypes(3, 4)
    again.load_state_dict(prototypes.state_dict())
    assert torch.equal(again.prototypes, prototypes.prototypes)


def test_bad_input_is_refused() -> None:
    with pytest.raises(SettingError, match="unknown prototype_rule 'em'"):
        ClassPrototypes(3, 4, "em")
    with pytest.raises(SettingError, match="momentum is 2"):
        ClassPrototypes(3, 4, "ema", 2)
    with pytest.raises(ShapeError, match=r"expected \[B, 4\] and \[B\]"):
        ClassPrototypes(3, 4).update(torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64))
