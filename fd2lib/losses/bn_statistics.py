"""BatchNorm matching: distilled images shall have the channel statistics of the training images."""

from collections.abc import Iterable

import torch
from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.losses.distance import full_precision


def bn_statistics_loss(features: Tensor, running_mean: Tensor, running_var: Tensor) -> Tensor:
    """Distance of a batch's channel statistics from one BatchNorm layer's running statistics (SRe²L, kept by FD²).

    ``‖running_var − var‖₂ + ‖running_mean − mean‖₂`` over channels, with the biased variance.

    Args:
        features: the layer's input, ``[B, C, h, w]``.
        running_mean: ``[C]``.
        running_var: ``[C]``.

    Returns:
        Scalar, not negative.

    Raises:
        ShapeError: the number of channels differs.
    """
    if features.ndim < 2 or running_mean.shape != features.shape[1:2] or running_var.shape != features.shape[1:2]:
        raise ShapeError(
            f"features {tuple(features.shape)} do not fit running statistics {tuple(running_mean.shape)} and "
            f"{tuple(running_var.shape)}; expected [B, C, h, w] with [C] and [C]."
        )
    axes = [axis for axis in range(features.ndim) if axis != 1]
    var, mean = torch.var_mean(full_precision(features), dim=axes, correction=0)
    return torch.linalg.vector_norm(running_var - var) + torch.linalg.vector_norm(running_mean - mean)


def bn_statistics_total(layers: Iterable[tuple[Tensor, Tensor, Tensor]], first_multiplier: float = 10.0) -> Tensor:
    """Sum of :func:`bn_statistics_loss` over layers, the first one weighted (10 in the authors' release).

    Args:
        layers: ``(features, running_mean, running_var)`` in forward order, as
            :class:`fd2lib.models.BatchNormTap` records them.
        first_multiplier: weight of the first layer, whose inputs are nearest to pixels.

    Raises:
        ShapeError: there are no layers, or one does not fit.
    """
    losses = [bn_statistics_loss(*layer) for layer in layers]
    if not losses:
        raise ShapeError("no BatchNorm layers were recorded; expected at least one. Tap a network with BatchNorm2d.")
    return torch.stack([losses[0] * first_multiplier, *losses[1:]]).sum()
