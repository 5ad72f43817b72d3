"""The objective of distillation: the weighted sum of the registered terms."""

import contextlib

import torch
from torch import Tensor

from fd2lib.ground import DistillSettings, SettingError
from fd2lib.losses import HeadInputs, TermInputs, list_terms
from fd2lib.losses.terms import TOTAL, Term
from fd2lib.models import BatchNormTap, Teacher, TeacherOutput

# Columns of every history, and of chunks that were written before they named theirs.
FIRST_COLUMNS = (TOTAL, "cross_entropy", "bn", "characteristic", "similarity")


def active_terms(settings: DistillSettings) -> list[tuple[Term, float]]:
    """Return the terms that settings give a weight above 0, and the weights."""
    return [(term, weight) for term in list_terms().values() if (weight := term.weight_in(settings)) > 0]


def history_columns(settings: DistillSettings) -> tuple[str, ...]:
    """Return the columns of a history; a registered term that is not used adds none, so that no file changes by it."""
    return tuple(dict.fromkeys([*FIRST_COLUMNS, *(term.name for term, _ in active_terms(settings))]))


def require_heads(settings: DistillSettings, ratio: float, has_head: bool) -> None:
    """Check that a teacher has the attention head that terms read, or its share ``ratio`` of the cross-entropy.

    Raises:
        SettingError: naming what needs it.
    """
    needing = {term.weight: weight for term, weight in active_terms(settings) if term.needs_head}
    needing |= {"attention_ratio": ratio} if ratio > 0 else {}
    if needing and not has_head:
        asked = ", ".join(f"distill.{name} = {value}" for name, value in needing.items())
        raise SettingError(
            f"{asked}: this needs a teacher with an attention head, and this one has none. "
            "Pretrain with attention = true, or set it to 0."
        )


class Objective:
    """One teacher's objective for one chunk of images with labels ``[N]``; the teacher is frozen, in evaluation mode.

    Raises:
        SettingError: a term needs a head or BatchNorm layers, and the teacher has none.
    """

    def __init__(self, teacher: Teacher, settings: DistillSettings, labels: Tensor) -> None:
        self.teacher, self.settings, self.labels = teacher, settings, labels
        self.ratio = teacher.attention_ratio if settings.own_ratio else settings.attention_ratio
        self.terms, self.columns = active_terms(settings), history_columns(settings)
        require_heads(settings, self.ratio, teacher.head is not None)
        taps = any(term.needs_batch_norm for term, _ in self.terms)
        head = teacher.head if self.ratio > 0 else None
        self.tap = BatchNormTap(teacher.backbone, head) if taps else None
        self.prototypes: Tensor | None = None
        if teacher.prototypes is not None:
            unit = settings.prototype_norm == "unit"
            self.prototypes = teacher.prototypes.unit() if unit else teacher.prototypes.prototypes
        self.needs_earlier = any(term.needs_head for term, _ in self.terms)
        self.earlier: Tensor | None = None  # attention of earlier images of the group, [N, J, M, h, w]

    @torch.no_grad()
    def remember(self, views: Tensor) -> None:
        """Set the earlier images of the group, normalised ``[J, N, 3, S, S]``; J may be 0."""
        self.earlier = None
        if self.needs_earlier and len(views):
            seen = [
                self.teacher(v.contiguous(memory_format=torch.channels_last), effect=False).attention for v in views
            ]
            self.earlier = torch.stack([attention.attention_maps for attention in seen], dim=1).float()

    def __call__(self, views: Tensor) -> dict[str, Tensor]:
        """Return the columns of a history for normalised views ``[N, 3, S, S]``.

        These are the unweighted terms, 0 where one does not apply, and ``total``, their weighted sum.
        """
        with self.tap or contextlib.nullcontext():
            output = self.teacher(views, effect=False)
            inputs = self._inputs(views, output)
        columns = {name: views.new_zeros(()) for name in self.columns}
        for term, weight in self.terms:
            value = term.function(inputs)
            if value is not None:
                columns[term.name] = value
                columns[TOTAL] = columns[TOTAL] + weight * value
        return columns

    def _inputs(self, views: Tensor, output: TeacherOutput) -> TermInputs:
        head = None
        if output.attention is not None and self.prototypes is not None:
            found = output.attention
            maps = found.attention_maps.float()
            head = HeadInputs(found.logits.float(), found.part_features.float(), maps, self.prototypes, self.earlier)
        recorded = list(self.tap.recorded) if self.tap else []
        return TermInputs(
            images=views,
            labels=self.labels,
            logits=output.logits.float(),
            features=output.features,
            attention=head,
            batch_norm=recorded,
            attention_ratio=self.ratio,
            settings=self.settings,
        )
