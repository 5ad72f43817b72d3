"""BatchNorm matching: distilled images shall have the channel statistics of the training images."""

from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.ground.channels import LayerStatistics, channel_statistics
from fd2lib.losses.terms import Term, TermInputs, register_term


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
    return bn_statistics_total([LayerStatistics(*channel_statistics(features), running_mean, running_var)], 1.0)


def bn_statistics_total(layers: Iterable[LayerStatistics], first_multiplier: float = 10.0) -> Tensor:
    """Sum of :func:`bn_statistics_loss` over layers, as :class:`fd2lib.models.BatchNormTap` records them.

    The first layer, whose inputs are nearest to pixels, has another weight (10 in the authors' release).

    Raises:
        ShapeError: there are no layers.
    """
    recorded = list(layers)
    if not recorded:
        raise ShapeError("no BatchNorm layers were recorded; expected at least one. Tap a network with BatchNorm2d.")
    # All layers side by side: a dozen operations in place of a dozen for every layer.
    mean, var, running_mean, running_var = (torch.cat(column) for column in zip(*recorded, strict=True))
    squares = torch.stack([running_mean - mean, running_var - var]).square()  # [2, ΣC]
    with torch.autocast(mean.device.type, enabled=False):
        members = _members(tuple(len(layer.mean) for layer in recorded), first_multiplier, squares.dtype, mean.device)
        squared = squares @ members  # [2, L], of norms times their layer's weight
    apart = squared > 0
    return (torch.where(apart, squared, 1.0).sqrt() * apart).sum()  # the root's gradient at 0 would not be finite


@lru_cache(maxsize=16)
def _members(sizes: tuple[int, ...], first: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Which of all channels belong to which layer, ``[ΣC, L]``; the first layer's count ``first²`` times."""
    members = torch.zeros(sum(sizes), len(sizes), dtype=dtype, device=device)
    begin = 0
    for layer, size in enumerate(sizes):
        members[begin : begin + size, layer] = 1.0 if layer else first**2
        begin += size
    return members


def _matching(inputs: TermInputs) -> Tensor:
    return bn_statistics_total(inputs.batch_norm, inputs.settings.bn_first_multiplier)


register_term(
    Term("bn", "BatchNorm matching", "bn_weight", needs_head=False, function=_matching, needs_batch_norm=True)
)
