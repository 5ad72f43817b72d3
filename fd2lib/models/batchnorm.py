"""Looking into BatchNorm layers, and letting them use a batch's own statistics."""

import contextlib
from collections.abc import Iterator
from typing import Self

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from fd2lib.ground import SettingError


class BatchNormTap:
    """Record what enters every BatchNorm layer while the block runs.

    >>> with BatchNormTap(teacher) as tap:  # doctest: +SKIP
    ...     teacher(images)
    ...     loss = bn_statistics_total(tap.inputs)

    Gradients flow through what is recorded. Layers appear in the order they run in. ``modules`` are networks to look
    into; ``None`` is skipped, so that an absent head may be passed.

    Attributes:
        inputs: ``(features [B, C, h, w], running_mean [C], running_var [C])`` per layer since the last clear.

    Raises:
        SettingError: there is no BatchNorm2d in any of the modules.
    """

    def __init__(self, *modules: nn.Module | None) -> None:
        self.inputs: list[tuple[Tensor, Tensor, Tensor]] = []
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
        self.inputs.clear()

    def _record(self, layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            self.inputs.append((arguments[0], layer.running_mean, layer.running_var))

    def __enter__(self) -> Self:
        self.clear()
        self._handles = [layer.register_forward_pre_hook(self._record) for layer in self.layers]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
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
