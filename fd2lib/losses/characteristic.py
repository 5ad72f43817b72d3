"""The fine-grained characteristic constraint of FD²: near the own class's prototype, far from the others."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.losses.distance import pairwise_relative_distance, relative_distance
from fd2lib.losses.terms import Term, TermInputs, register_term


class CharacteristicTerms(NamedTuple):
    """The two halves of the constraint, each a scalar in [0, 1]."""

    attract: Tensor  # mean distance to the own class's prototype
    repel: Tensor  # one minus the mean distance to all other prototypes


def characteristic_terms(part_features: Tensor, labels: Tensor, prototypes: Tensor) -> CharacteristicTerms:
    """Return the attracting and the repelling term of :func:`characteristic_loss`."""
    if part_features.ndim != 2 or prototypes.ndim != 2 or part_features.shape[1] != prototypes.shape[1]:
        raise ShapeError(
            f"part_features {tuple(part_features.shape)} and prototypes {tuple(prototypes.shape)} do not fit; "
            "expected [B, D] and [K, D] with the same D = maps × channels of one attention head."
        )
    if labels.shape != part_features.shape[:1]:
        raise ShapeError(f"labels have shape {tuple(labels.shape)}; expected [{part_features.shape[0]}].")
    num_classes = prototypes.shape[0]
    attract = relative_distance(part_features, prototypes[labels]).mean()
    if num_classes == 1:  # no other class to stay away from
        return CharacteristicTerms(attract, attract.new_zeros(()))
    distances = pairwise_relative_distance(part_features, prototypes)  # [B, K]
    others = 1 - F.one_hot(labels, num_classes).to(distances.dtype)
    return CharacteristicTerms(attract, 1 - (distances * others).sum(1).mean() / (num_classes - 1))


def characteristic_loss(part_features: Tensor, labels: Tensor, prototypes: Tensor) -> Tensor:
    """Mean of attraction to the own class's prototype and repulsion from all others (FD² paper, as in its release).

    ``½·mean_b d(f_b, c_y) + ½·(1 − mean_b mean_{k≠y} d(f_b, c_k))`` with the relative distance ``d``
    of :func:`fd2lib.losses.relative_distance`: in [0, 1], float32 or wider whatever the inputs' precision.

    Args:
        part_features: the attention head's part features, ``[B, D]``.
        labels: class indices, ``[B]`` int64.
        prototypes: one vector per class, ``[K, D]``; a class never seen may be zero.

    Raises:
        ShapeError: the three tensors do not fit each other.
    """
    attract, repel = characteristic_terms(part_features, labels, prototypes)
    return 0.5 * attract + 0.5 * repel


def _constraint(inputs: TermInputs) -> Tensor:
    return characteristic_loss(inputs.head.part_features, inputs.labels, inputs.head.prototypes)


register_term(
    Term("characteristic", "characteristic constraint", "characteristic_weight", needs_head=True, function=_constraint)
)
