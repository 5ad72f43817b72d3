"""Statistics of the channels of a feature map, with a gradient that costs one pass."""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class LayerStatistics(NamedTuple):
    """Channel statistics of what enters a BatchNorm layer, and those the layer itself keeps; each ``[C]``."""

    mean: Tensor
    var: Tensor  # biased
    running_mean: Tensor
    running_var: Tensor


def mean_var(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance per channel by BatchNorm's own kernel, on processors 30 times ``var_mean``'s."""
    if features.device.type in ("mps", "xpu"):  # which have no such kernel of its own
        var, mean = torch.var_mean(features, [0, *range(2, features.ndim)], correction=0)
        return mean, var
    mean, var = torch.batch_norm_update_stats(features, None, None, 0.0)
    return mean, var


class _ChannelStatistics(torch.autograd.Function):
    """Mean and biased variance per channel; the gradient is linear in the input, one pass over it."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = mean_var(features)
        ctx.save_for_backward(features, mean)
        return mean, var

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor, grad_var: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        return statistics_gradient(features, mean, grad_mean, grad_var)


def statistics_gradient(features: Tensor, mean: Tensor, grad_mean: Tensor, grad_var: Tensor) -> Tensor:
    """Return the gradient to features ``[B, C, …]`` of their mean and variance ``[C]``: linear in the features."""
    count = features.numel() // features.shape[1]
    slope = 2 * grad_var / count  # d var / d x = 2 (x − mean) / n
    shape = (1, -1) + (1,) * (features.ndim - 2)
    return torch.addcmul((grad_mean / count - slope * mean).view(shape), features, slope.view(shape))


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or unchanged where it is float32 or float64 already."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def channel_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance ``[C]`` of features ``[B, C, …]``, in float32 or wider; differentiable."""
    mean, var = _ChannelStatistics.apply(full_precision(features))
    return mean, var
