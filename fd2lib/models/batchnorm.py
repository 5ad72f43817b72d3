"""Looking into BatchNorm layers, and letting them use a batch's own statistics."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from fd2lib.ground import SettingError
from fd2lib.ground.channels import LayerStatistics, channel_statistics, full_precision, mean_var, statistics_gradient


class _NormAndStatistics(torch.autograd.Function):
    """Output of a frozen BatchNorm layer in evaluation mode, and the statistics of its input.

    Both gradients are linear in what is there already, so that they take two passes over the activation: fewer than
    BatchNorm's own backward, which also sums over the batch although nothing asks for a frozen layer's gradients.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, layer: nn.BatchNorm2d) -> tuple[Tensor, Tensor, Tensor]:
        weight, bias, mean, var = layer.weight, layer.bias, layer.running_mean, layer.running_var
        output = nn.functional.batch_norm(features, mean, var, weight, bias, False, 0.0, layer.eps)
        own_mean, own_var = mean_var(full_precision(features))
        assert var is not None  # _shares said so
        scale = (var + layer.eps).rsqrt() * (1.0 if weight is None else weight)
        ctx.save_for_backward(features, own_mean, scale)
        return output, own_mean, own_var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_mean: Tensor, grad_var: Tensor) -> tuple[Tensor, None]:
        features, mean, scale = ctx.saved_tensors
        total = statistics_gradient(full_precision(features), mean, grad_mean, grad_var)
        return total.addcmul_(grad, scale.view(1, -1, 1, 1).to(total)).to(features.dtype), None


def _shares(layer: nn.BatchNorm2d) -> bool:
    """Whether a layer is frozen and of a kind whose forward is known, so that its passes can be shared."""
    known = type(layer).forward in (nn.BatchNorm2d.forward, BatchNormAct2d.forward)
    frozen = not layer.training and layer.running_mean is not None and layer.running_var is not None
    return known and frozen and not any(parameter.requires_grad for parameter in layer.parameters())


class BatchNormTap:
    """Record the channel statistics of what enters every BatchNorm layer while the block runs.

    >>> with BatchNormTap(teacher) as tap:  # doctest: +SKIP
    ...     teacher(images)
    ...     loss = bn_statistics_total(tap.recorded)

    Gradients flow through what is recorded. Layers appear in the order they run in. ``modules`` are networks to look
    into; ``None`` is skipped, so that an absent head may be passed. Frozen layers in evaluation mode share their passes
    over an activation with the statistics; other layers compute as ever.

    Attributes:
        recorded: :class:`LayerStatistics` of each layer since the last clear.

    Raises:
        SettingError: there is no BatchNorm2d in any of the modules.
    """

    def __init__(self, *modules: nn.Module | None) -> None:
        self.recorded: list[LayerStatistics] = []
        inside = [layer for module in modules if module is not None for layer in module.modules()]
        self.layers = [layer for layer in dict.fromkeys(inside) if isinstance(layer, nn.BatchNorm2d)]
        if not self.layers:
            raise SettingError(
                "the network has no BatchNorm2d layer; BatchNorm matching needs one. "
                "Choose another backbone or set bn_weight to 0."
            )
        self._handles: list[RemovableHandle] = []

    def clear(self) -> None:
        """Forget what was recorded; call before each forward."""
        self.recorded.clear()

    def _record(self, layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            statistics = channel_statistics(arguments[0])
            self.recorded.append(LayerStatistics(*statistics, layer.running_mean, layer.running_var))

    def _forward(self, layer: nn.BatchNorm2d, features: Tensor) -> Tensor:
        assert layer.running_mean is not None and layer.running_var is not None
        output: Tensor
        output, mean, var = _NormAndStatistics.apply(features, layer)
        self.recorded.append(LayerStatistics(mean, var, layer.running_mean, layer.running_var))
        if isinstance(layer, BatchNormAct2d):
            output = layer.act(layer.drop(output))
        return output

    def __enter__(self) -> Self:
        self.clear()
        for layer in self.layers:
            if _shares(layer):
                layer.__dict__["forward"] = partial(self._forward, layer)
            else:
                self._handles.append(layer.register_forward_pre_hook(self._record))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
        for layer in self.layers:
            layer.__dict__.pop("forward", None)
        self._handles = []
        self.clear()


@contextlib.contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let BatchNorm layers, and nothing else, use the statistics of each batch while the block runs.

    Running statistics are neither used nor changed, and everything else, dropout too, keeps its mode.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    kept = [(layer, layer.training, layer.running_mean, layer.running_var) for layer in layers]
    try:
        for layer in layers:
            # In evaluation mode and without running statistics a layer normalises by the batch's and writes nothing.
            layer.training = False
            layer.running_mean = layer.running_var = None
        yield
    finally:
        for layer, training, mean, var in kept:
            layer.training, layer.running_mean, layer.running_var = training, mean, var
