"""BatchNorm matching: distilled images shall have the channel statistics of the training images."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.losses.distance import full_precision
from fd2lib.losses.terms import Term, TermInputs, register_term


class _ChannelStatistics(torch.autograd.Function):
    """Biased variance and mean per channel, the way BatchNorm itself computes them.

    ``torch.var_mean`` and its generated gradient make seven passes over every activation and took longer than the
    network they look into. BatchNorm's own kernel is one pass, and the gradient is linear in the input: one more.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        # Without epsilon a constant channel has the inverse deviation 0 on the CPU and ∞ on CUDA; its variance is 0.
        _, mean, inverse_deviation = torch.native_batch_norm(features, None, None, None, None, True, 0.0, 0.0)
        ctx.save_for_backward(features, mean)
        var = inverse_deviation.pow(-2)
        return torch.where(inverse_deviation == 0, torch.zeros_like(var), var), mean

    @staticmethod
    def backward(ctx: Any, grad_var: Tensor, grad_mean: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        count = features.numel() // features.shape[1]
        slope = 2 * grad_var / count  # d var / d x = 2 (x − mean) / n
        shape = (1, -1) + (1,) * (features.ndim - 2)
        return torch.addcmul((grad_mean / count - slope * mean).view(shape), features, slope.view(shape))


def bn_statistics_loss(features: Tensor, running_mean: Tensor, running_var: Tensor) -> Tensor:
    """Distance of a batch's channel statistics from one BatchNorm layer's running statistics (SRe²L, kept by FD²).

    ``‖running_var − var‖₂ + ‖running_mean − mean‖₂`` over the C channels, with the biased variance of the layer's input
    ``[B, C, h, w]``: a scalar, not negative.

    Raises:
        ShapeError: the number of channels differs.
    """
    if features.ndim < 2 or running_mean.shape != features.shape[1:2] or running_var.shape != features.shape[1:2]:
        raise ShapeError(
            f"features {tuple(features.shape)} do not fit running statistics {tuple(running_mean.shape)} and "
            f"{tuple(running_var.shape)}; expected [B, C, h, w] with [C] and [C]."
        )
    var, mean = _ChannelStatistics.apply(full_precision(features))
    return torch.linalg.vector_norm(running_var - var) + torch.linalg.vector_norm(running_mean - mean)


def bn_statistics_total(layers: Iterable[tuple[Tensor, Tensor, Tensor]], first_multiplier: float = 10.0) -> Tensor:
    """Sum of :func:`bn_statistics_loss` over layers, as :class:`fd2lib.models.BatchNormTap` records them.

    The first layer, whose inputs are nearest to pixels, has another weight (10 in the authors' release).

    Raises:
        ShapeError: there are no layers, or one does not fit.
    """
    losses = [bn_statistics_loss(*layer) for layer in layers]
    if not losses:
        raise ShapeError("no BatchNorm layers were recorded; expected at least one. Tap a network with BatchNorm2d.")
    return torch.stack([losses[0] * first_multiplier, *losses[1:]]).sum()


def _matching(inputs: TermInputs) -> Tensor:
    return bn_statistics_total(inputs.batch_norm, inputs.settings.bn_first_multiplier)


register_term(
    Term("bn", "BatchNorm matching", "bn_weight", needs_head=False, function=_matching, needs_batch_norm=True)
)
