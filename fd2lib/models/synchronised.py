"""BatchNorm over the images of several processes, so that sharing a batch does not change what a network computes.

PyTorch's own layer for this runs on CUDA only and takes the place of others, activations of fused ones included.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class SynchronisedBatchNorm(TorchFunctionMode):
    """While the block runs, BatchNorm in training takes mean and variance over the images of all processes of a group.

    Outputs, gradients and running statistics are, up to rounding, those of one process with all the images. Every
    process of the ``group``, one of ``torch.distributed``, must run the same layers, forwards and backwards.
    """

    def __init__(self, group: Any) -> None:
        super().__init__()
        self.group = group

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        features: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Stand in for :func:`torch.nn.functional.batch_norm`."""
        if not training:
            return F.batch_norm(features, running_mean, running_var, weight, bias, training, momentum, eps)
        normal, mean, var, count = _Normalise.apply(features, eps, self.group)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * count / (count - 1), momentum)
        shape = (1, -1, *[1] * (features.ndim - 2))
        if weight is not None and bias is not None:
            normal = normal * weight.view(shape) + bias.view(shape)
        return normal.to(features.dtype)


class _Normalise(torch.autograd.Function):
    """Features ``[B, C, …]`` to zero mean and unit variance per channel; also these and the count of values."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, eps: float, group: Any) -> tuple[Tensor, ...]:
        wide = features.float()
        ctx.dims, ctx.group = [0, *range(2, features.ndim)], group
        var, mean = torch.var_mean(wide, ctx.dims, correction=0)
        own = torch.cat([mean, var, mean.new_tensor([wide.numel() / len(mean)])])
        every = own.new_zeros(dist.get_world_size(group), len(own))
        every[dist.get_rank(group)] = own
        dist.all_reduce(every, group=group)  # as a sum, which every backend has on every device
        means, variances, counts = torch.split(every, [len(mean), len(mean), 1], dim=1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        var = (counts * (variances + (means - mean).square())).sum(0) / count
        shape = (1, -1, *[1] * (features.ndim - 2))
        scale = (var + eps).rsqrt().view(shape)
        normal = (wide - mean.view(shape)) * scale
        ctx.save_for_backward(normal, scale, count)
        ctx.mark_non_differentiable(mean, var, count)
        ctx.dtype = features.dtype
        return normal, mean, var, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normal, scale, count = ctx.saved_tensors
        gradient = gradients[0]
        sums = torch.stack([gradient.sum(ctx.dims), (gradient * normal).sum(ctx.dims)])  # [2, C]
        dist.all_reduce(sums, group=ctx.group)
        mean, slope = (value.view(scale.shape) for value in sums / count)
        return (scale * (gradient - mean - normal * slope)).to(ctx.dtype), None, None
