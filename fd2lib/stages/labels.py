"""Soft labels of one planned batch, the same whether they are stored first or computed on the fly."""

from collections.abc import Sequence

import torch

from fd2lib.models import Teacher, batch_statistics
from fd2lib.views import BatchPlan, apply_plan, halves


@torch.no_grad()
def plan_logits(
    teachers: Sequence[Teacher], images: torch.Tensor, plan: BatchPlan, label_mode: str, label_source: str
) -> torch.Tensor:
    """Return the teachers' mean logits for a batch, ``[b, K]``.

    Args:
        teachers: in evaluation mode; left as they are, BatchNorm buffers included.
        images: the whole distilled set in [0, 1], ``[N, 3, S, S]``.
        plan: the batch.
        label_mode: ``batch`` uses the BatchNorm statistics of each half of the batch, ``evaluation`` the running ones.
        label_source: ``backbone`` or ``head``.
    """
    mixed = apply_plan(images, plan)
    total = torch.zeros((), device=images.device)
    for teacher in teachers:
        inputs = teacher.normalize(mixed).contiguous(memory_format=torch.channels_last)
        if label_mode == "evaluation":
            logits = teacher.logits(inputs, label_source)
        else:
            with batch_statistics(teacher):
                logits = torch.cat([teacher.logits(inputs[part], label_source) for part in halves(plan)])
        total = total + logits.float()
    return total / len(teachers)
