"""The student's loss against stored teacher logits."""

import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError, widest_float
from fd2lib.ground.channels import full_precision


def soft_label_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """KL divergence from teacher to student at a temperature, averaged over images (as in the authors' release).

    There is no factor T², so gradients shrink with the square of the temperature; FD² uses 20.

    Both logits are ``[B, K]``, of any float type, and divided by the temperature, which is above 0.

    Raises:
        ShapeError: the logits' shapes differ.
        SettingError: the temperature is not positive.
    """
    if student_logits.shape != teacher_logits.shape:
        raise ShapeError(
            f"student_logits {tuple(student_logits.shape)} and teacher_logits {tuple(teacher_logits.shape)} differ; "
            "expected the same [B, K]."
        )
    if not temperature > 0:
        raise SettingError(f"temperature is {temperature}; expected a number above 0.")
    # At high temperature both are nearly uniform and the divergence is a small difference of equal terms.
    wide = widest_float(student_logits.device)
    student = F.log_softmax(student_logits.to(wide) / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.to(wide) / temperature, dim=1)
    loss = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return loss.to(full_precision(student_logits).dtype)
