"""The teacher's loss: plain cross-entropy mixed with counterfactual attention learning."""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError
from fd2lib.ground.channels import full_precision


class AttentionTerms(Protocol):
    """What the loss reads of an attention head's output."""

    logits: Tensor  # [B, K]
    effect_logits: Tensor | None  # [B, K]
    part_features: Tensor  # [B, M·C]


PRETRAIN_TITLES = {
    "backbone": "backbone cross-entropy",
    "raw": "head, raw images",
    "effect": "counterfactual effect",
    "augmented": "head, attention views",
    "center": "distance to prototype",
}  # what plots call the terms


class PretrainTerms(NamedTuple):
    """Scalars; ``total`` is the weighted sum to minimise, the others are unweighted. Absent terms are zero."""

    total: Tensor
    backbone: Tensor  # cross-entropy of the backbone
    raw: Tensor  # cross-entropy of the head on whole images
    effect: Tensor  # cross-entropy of the counterfactual effect on all views
    augmented: Tensor  # cross-entropy of the head on attention crops and drops
    center: Tensor  # squared distance of part features from their class's unit prototype


def center_loss(part_features: Tensor, centers: Tensor) -> Tensor:
    """Squared distance of part features ``[B, D]`` from their classes' normalised prototypes, averaged over images.

    Raises:
        ShapeError: the shapes differ.
    """
    if part_features.shape != centers.shape:
        raise ShapeError(
            f"part_features {tuple(part_features.shape)} and centers {tuple(centers.shape)} differ; "
            "expected [B, D] for both. Index the prototypes by the labels first."
        )
    return (full_precision(part_features) - full_precision(centers)).square().sum(1).mean()


def pretrain_loss(
    backbone_logits: Tensor,
    labels: Tensor,
    *,
    attention_ratio: float,
    raw: AttentionTerms | None,
    augmented: AttentionTerms | None = None,
    centers: Tensor | None = None,
    backbone_weight: float | None = None,
    backbone_augmented: Tensor | None = None,
) -> PretrainTerms:
    """Loss of one pretraining step (FD² paper, section on pretraining; weights of the authors' release).

    ``(1−λ)·CE(backbone) + λ·[⅓·CE(z_raw) + CE(e_all) + ⅔·CE(z_augmented) + center]``. Without attention
    crops and drops (the paper's reading) the head's cross-entropy on whole images has weight 1: the thirds
    are the share of each view in a mean over all three, and then only one is left.

    Args:
        backbone_logits: ``[B, K]``.
        labels: class indices, ``[B]``.
        attention_ratio: λ in [0, 1].
        raw: the head's output on whole images; ``None`` for a teacher without head (plain cross-entropy).
        augmented: the head's output on 2B attention views, all crops first, then all drops.
        centers: normalised prototype of each image's class before its update, ``[B, M·C]``.
        backbone_weight: in place of 1−λ; 1 for a head that only reads the features, so that the backbone is trained
            as without it.
        backbone_augmented: the backbone's logits on further views of the batch, ``[nB, K]``; its cross-entropy is then
            the mean over all views (a control for the views that attention adds).

    Raises:
        SettingError: λ lies outside [0, 1], or attention views were given without a head.
        ShapeError: the views are not 2B, or the centres do not fit.
    """
    if not 0 <= attention_ratio <= 1:
        raise SettingError(f"attention_ratio is {attention_ratio}; expected between 0 and 1.")
    every = backbone_logits if backbone_augmented is None else torch.cat([backbone_logits, backbone_augmented])
    backbone = F.cross_entropy(every, labels.repeat(len(every) // len(labels)))
    zero = backbone.new_zeros(())
    if raw is None:
        if augmented is not None or centers is not None:
            raise SettingError("augmented or centers came without raw; expected the head's output on whole images too.")
        return PretrainTerms(backbone, backbone, zero, zero, zero, zero)
    whole = F.cross_entropy(raw.logits, labels)
    center = zero if centers is None else center_loss(raw.part_features, centers)
    if augmented is None:
        effect, views, head = F.cross_entropy(_effect(raw), labels), zero, whole
    else:
        twice = labels.repeat(2)
        if len(augmented.logits) != len(twice):
            raise ShapeError(f"augmented has {len(augmented.logits)} images; expected {len(twice)}: crops, then drops.")
        effect = F.cross_entropy(torch.cat([_effect(raw), _effect(augmented)]), torch.cat([labels, twice]))
        views = F.cross_entropy(augmented.logits, twice)
        head = whole / 3 + views * 2 / 3
    weight = 1 - attention_ratio if backbone_weight is None else backbone_weight
    total = weight * backbone + attention_ratio * (head + effect + center)
    return PretrainTerms(total, backbone, whole, effect, views, center)


def _effect(terms: AttentionTerms) -> Tensor:
    if terms.effect_logits is None:
        raise SettingError("the head's output has no effect logits, which its loss needs; call it with effect=True.")
    return terms.effect_logits
