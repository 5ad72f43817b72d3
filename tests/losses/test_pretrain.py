"""The teacher's loss: weights of its terms, and the release's centre loss."""

from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F

from fd2lib.ground import SettingError, ShapeError
from fd2lib.losses import center_loss, pretrain_loss


class Head(NamedTuple):
    logits: torch.Tensor
    effect_logits: torch.Tensor
    part_features: torch.Tensor


def make_head(seed: int, batch: int, classes: int = 5, dim: int = 6) -> Head:
    generator = torch.Generator().manual_seed(seed)
    return Head(*(torch.randn(batch, size, generator=generator) for size in (classes, classes, dim)))


LABELS = torch.tensor([0, 3, 4, 1])
LOGITS = torch.randn(4, 5, generator=torch.Generator().manual_seed(9))


def test_center_loss_matches_the_release(golden) -> None:
    case = golden("prototype_update")
    unit = F.normalize(case["prototypes_before"], dim=1)
    loss = center_loss(case["part_features"], unit[case["labels"]])
    torch.testing.assert_close(loss, case["center_loss"], rtol=1e-5, atol=0)


def test_terms_add_up_as_the_release_weighs_them() -> None:
    raw, augmented = make_head(0, 4), make_head(1, 8)
    centers = F.normalize(make_head(2, 4).part_features, dim=1)
    terms = pretrain_loss(LOGITS, LABELS, attention_ratio=0.3, raw=raw, augmented=augmented, centers=centers)
    head = terms.raw / 3 + terms.effect + 2 * terms.augmented / 3 + terms.center
    torch.testing.assert_close(terms.total, 0.7 * terms.backbone + 0.3 * head)
    labels3 = LABELS.repeat(3)
    effects = torch.cat([raw.effect_logits, augmented.effect_logits])
    torch.testing.assert_close(terms.effect, F.cross_entropy(effects, labels3))
    every = F.cross_entropy(torch.cat([raw.logits, augmented.logits]), labels3)
    torch.testing.assert_close(terms.raw / 3 + 2 * terms.augmented / 3, every)
    torch.testing.assert_close(terms.center, (raw.part_features - centers).square().sum() / 4)


def test_without_attention_views_whole_images_carry_the_full_weight() -> None:
    raw = make_head(0, 4)
    terms = pretrain_loss(LOGITS, LABELS, attention_ratio=0.5, raw=raw)
    torch.testing.assert_close(terms.total, 0.5 * terms.backbone + 0.5 * (terms.raw + terms.effect))
    assert terms.augmented == 0
    assert terms.center == 0


def test_without_head_it_is_plain_cross_entropy() -> None:
    terms = pretrain_loss(LOGITS, LABELS, attention_ratio=0.5, raw=None)
    assert torch.equal(terms.total, F.cross_entropy(LOGITS, LABELS))


def test_ratio_zero_leaves_the_head_without_gradient() -> None:
    raw = Head(*(t.requires_grad_() for t in make_head(0, 4)))
    pretrain_loss(LOGITS, LABELS, attention_ratio=0.0, raw=raw).total.backward()
    assert torch.equal(raw.logits.grad, torch.zeros_like(raw.logits))


def test_bad_input_is_refused() -> None:
    with pytest.raises(SettingError, match=r"attention_ratio is 1\.5"):
        pretrain_loss(LOGITS, LABELS, attention_ratio=1.5, raw=None)
    with pytest.raises(SettingError, match="without raw"):
        pretrain_loss(LOGITS, LABELS, attention_ratio=0.5, raw=None, augmented=make_head(0, 8))
    with pytest.raises(ShapeError, match="augmented has 4 images; expected 8"):
        pretrain_loss(LOGITS, LABELS, attention_ratio=0.5, raw=make_head(0, 4), augmented=make_head(0, 4))
    with pytest.raises(ShapeError, match="Index the prototypes"):
        center_loss(torch.zeros(4, 6), torch.zeros(5, 6))
