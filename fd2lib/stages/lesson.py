"""What a student learns from: the views of each epoch, their labels and the loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import EvaluateSettings, RelabelSettings, SettingError, build_settings
from fd2lib.losses import soft_label_loss
from fd2lib.models import Teacher
from fd2lib.record import read_manifest
from fd2lib.stages.computing import autocast, to_unit
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.label_store import StoredLabels, as_stored
from fd2lib.stages.labels import epoch_logits, load_teachers, soft_labels, view_labels
from fd2lib.stages.sources import source_folders
from fd2lib.views import BatchPlan, apply_plan, plan_epoch


@dataclass(frozen=True)
class Lesson:
    """What a student learns from: images in [0, 1], class labels, and soft labels stored or recomputed."""

    settings: EvaluateSettings
    relabel: RelabelSettings
    images: Tensor  # [N, 3, S, S]
    labels: Tensor  # [N]
    stored: StoredLabels | None
    teachers: list[Teacher]

    @classmethod
    def load(cls, folder: Path, num_classes: int, settings: EvaluateSettings, device: torch.device) -> "Lesson":
        """Read what a relabel run has, for ``num_classes`` classes.

        Raises:
            ArtefactError: the folder, or that of its images or teachers, does not hold what it should.
            SettingError: the labels are for another number of classes.
        """
        manifest = read_manifest(folder, "relabel")
        relabel = build_settings("relabel", manifest["settings"], as_before=True)
        named = manifest["result"]["distilled"], manifest["result"]["teachers"]
        source, *makers = source_folders(folder, *named, manifest["inputs"])
        distilled = load_distilled(source, relabel.ipc)
        if len(distilled.classes) != num_classes:
            raise SettingError(
                f"{folder} has labels for {len(distilled.classes)} classes, the data set has {num_classes}; "
                "evaluate on the classes that were distilled."
            )
        images, labels = to_unit(distilled.images.to(device)), distilled.labels.to(device)
        stored, teachers = None, []
        if settings.labels == "soft" and relabel.store:
            stored = StoredLabels.read(folder)
        elif settings.labels == "soft":
            teachers = load_teachers(makers, device, relabel.compiled)
            if relabel.regime == "fixed":  # labels of the images, whatever their views: asked once
                stored = StoredLabels.made(epoch_logits(relabel, teachers, images, 0), relabel.bits)
        return cls(settings, relabel, images, labels, stored, teachers)

    def epoch(self, epoch: int) -> Iterator[tuple[BatchPlan, Tensor, Tensor | None]]:
        """Yield (plan, views in [0, 1], teacher logits or None) for every batch of an epoch."""
        device, relabel, position = self.images.device, self.relabel, 0
        plans, stored = plan_epoch(relabel, len(self.images), self.images.shape[-1], epoch, device), None
        if self.stored is not None:
            stored = view_labels(relabel, self.stored.epoch(epoch, device), plans, self.settings.temperature)
        for plan in plans:
            views, logits = apply_plan(self.images, plan), None
            if stored is not None:
                logits = stored[position : position + len(plan)]
            elif self.teachers:
                with autocast(device, relabel.precision):
                    logits = soft_labels(self.teachers, views, mode=relabel.label_mode, source=relabel.label_source)
                logits = as_stored(logits, relabel.bits)
            position += len(plan)
            yield plan, views, logits

    def loss(self, output: Tensor, plan: BatchPlan, part: slice, logits: Tensor | None) -> Tensor:
        """The loss of outputs for a ``part`` of a batch: from soft labels, or else the classes of mixed images."""
        if logits is not None:
            return soft_label_loss(output, logits[part], self.settings.temperature)
        own = self.labels[plan.indices]
        mixed = own[plan.permutation]
        return plan.lam * F.cross_entropy(output, own[part]) + (1 - plan.lam) * F.cross_entropy(output, mixed[part])
