"""The bounded distance that both constraints of FD² measure with."""

import torch
from torch import Tensor

from fd2lib.ground.channels import full_precision

EPSILON = 1e-6


def relative_distance(a: Tensor, b: Tensor) -> Tensor:
    """Distance of vectors relative to their lengths, ``‖a − b‖ / (‖a‖ + ‖b‖ + 1e-6)``, in [0, 1).

    Vectors lie along the last dimension, ``[..., D]``, and broadcast; the distances are ``[...]``. The gradient is
    finite everywhere: where ``a`` equals ``b`` it is zero.
    """
    a, b = full_precision(a), full_precision(b)
    lengths = torch.linalg.vector_norm(a, dim=-1) + torch.linalg.vector_norm(b, dim=-1)
    return torch.linalg.vector_norm(a - b, dim=-1) / (lengths + EPSILON)


def pairwise_relative_distance(a: Tensor, b: Tensor) -> Tensor:
    """Relative distance of each row of ``a [B, D]`` to each of ``b [K, D]``, from one matrix product: ``[B, K]``.

    Squared distances come from squared lengths and the product ``a bᵀ``, so rows closer than about a
    thousandth of their length lose digits; use :func:`relative_distance` where such pairs matter.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = full_precision(a), full_precision(b)
        length_a = torch.linalg.vector_norm(a, dim=-1)[:, None]  # [B, 1]
        length_b = torch.linalg.vector_norm(b, dim=-1)[None]  # [1, K]
        squared = length_a.square() + length_b.square() - 2 * (a @ b.T)
        # Below this floor the square is rounding noise; the clamp also keeps the root's gradient finite.
        return squared.clamp_min(EPSILON**2).sqrt() / (length_a + length_b + EPSILON)
