"""The objective of distillation: cross-entropy, BatchNorm matching and FD²'s two constraints, weighted."""

import contextlib

import torch
import torch.nn.functional as F

from fd2lib.ground import DistillSettings, SettingError
from fd2lib.losses import bn_statistics_total, characteristic_loss, similarity_loss
from fd2lib.models import BatchNormTap, Teacher, TeacherOutput

TERMS = ("total", "cross_entropy", "bn", "characteristic", "similarity")


class Objective:
    """One teacher's objective for one chunk of classes.

    Args:
        teacher: frozen, in evaluation mode.
        settings: weights and choices.
        labels: class of each image, ``[N]``.

    Raises:
        SettingError: a constraint is asked of a teacher without head.
    """

    def __init__(self, teacher: Teacher, settings: DistillSettings, labels: torch.Tensor) -> None:
        self.ratio = teacher.attention_ratio if settings.own_ratio else settings.attention_ratio
        uses_head = self.ratio > 0 or settings.characteristic_weight > 0 or settings.similarity_weight > 0
        if uses_head and teacher.head is None:
            weights = (self.ratio, settings.characteristic_weight, settings.similarity_weight)
            raise SettingError(
                f"attention_ratio, characteristic_weight, similarity_weight are {weights}; they need a teacher with an "
                "attention head, and this one has none. Pretrain with attention = true, or set the three to 0."
            )
        self.teacher, self.settings, self.labels = teacher, settings, labels
        modules = [teacher.backbone] + ([teacher.head] if self.ratio > 0 else [])
        self.tap = BatchNormTap(*modules) if settings.bn_weight > 0 else None  # networks without BatchNorm: weight 0
        self.prototypes = None
        if settings.characteristic_weight > 0:
            own = teacher.prototypes
            self.prototypes = own.unit() if settings.prototype_norm == "unit" else own.prototypes
        self.earlier: torch.Tensor | None = None  # attention of earlier images of the group, [N, J, M, h, w]

    @torch.no_grad()
    def remember(self, views: torch.Tensor) -> None:
        """Set the earlier images of the group, normalised ``[J, N, 3, S, S]``; J may be 0."""
        self.earlier = None
        if self.settings.similarity_weight > 0 and len(views):
            maps = [
                self.teacher(view.contiguous(memory_format=torch.channels_last)).attention.attention_maps
                for view in views
            ]
            self.earlier = torch.stack(maps, dim=1).float()

    def __call__(self, views: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the terms (unweighted) and their weighted ``total`` for normalised ``views`` ``[N, 3, S, S]``."""
        settings = self.settings
        terms = {name: views.new_zeros(()) for name in TERMS}
        with self.tap or contextlib.nullcontext():
            output = self.teacher(views)
            if self.tap:
                terms["bn"] = bn_statistics_total(self.tap.inputs, settings.bn_first_multiplier)
        terms["cross_entropy"] = self._cross_entropy(output)
        if self.prototypes is not None:
            terms["characteristic"] = characteristic_loss(
                output.attention.part_features.float(), self.labels, self.prototypes
            )
        if self.earlier is not None:
            terms["similarity"] = similarity_loss(output.attention.attention_maps.float(), self.earlier)
        terms["total"] = (
            settings.cross_entropy_weight * terms["cross_entropy"]
            + settings.bn_weight * terms["bn"]
            + settings.characteristic_weight * terms["characteristic"]
            + settings.similarity_weight * terms["similarity"]
        )
        return terms

    def _cross_entropy(self, output: TeacherOutput) -> torch.Tensor:
        ratio = self.ratio
        backbone = F.cross_entropy(output.logits.float(), self.labels)
        loss = (1 - ratio) * backbone
        if ratio > 0:
            loss = loss + ratio * F.cross_entropy(output.attention.logits.float(), self.labels)
        return loss + backbone if self.settings.base_cross_entropy == "kept" else loss
