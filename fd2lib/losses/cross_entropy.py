"""The classification term of distillation: the teacher shall recognise the images."""

import torch.nn.functional as F
from torch import Tensor

from fd2lib.losses.terms import Term, TermInputs, register_term


def mixed_cross_entropy(
    logits: Tensor, labels: Tensor, head_logits: Tensor | None = None, ratio: float = 0.0, *, keep_base: bool = False
) -> Tensor:
    """Cross-entropy shared by backbone and head, ``(1−λ)·CE(backbone) + λ·CE(head)`` (FD² paper).

    Logits are ``[N, K]``, labels ``[N]``, the ratio λ in [0, 1]; for 0 no head is needed. With ``keep_base`` the base
    method's cross-entropy, the backbone's, is added once more (paper's reading).
    """
    base = F.cross_entropy(logits, labels)
    loss = (1 - ratio) * base
    if ratio > 0 and head_logits is not None:
        loss = loss + ratio * F.cross_entropy(head_logits, labels)
    return loss + base if keep_base else loss


def _term(inputs: TermInputs) -> Tensor:
    head_logits = inputs.head.logits if inputs.attention_ratio > 0 else None
    keep_base = inputs.settings.base_cross_entropy == "kept"
    return mixed_cross_entropy(inputs.logits, inputs.labels, head_logits, inputs.attention_ratio, keep_base=keep_base)


# Whether it needs the head depends on λ, which the objective looks at itself.
register_term(Term("cross_entropy", "cross-entropy", "cross_entropy_weight", needs_head=False, function=_term))
