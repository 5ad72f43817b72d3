"""Soft labels of one batch, the same whether it was planned, made by someone else, stored or computed on the fly."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fd2lib.ground import RelabelSettings, SettingError, ShapeError, unknown, widest_float
from fd2lib.models import Teacher, batch_statistics
from fd2lib.models.teacher import DESCRIPTION, WEIGHTS
from fd2lib.record import intact
from fd2lib.stages.computing import autocast, compiled
from fd2lib.views import BatchPlan, apply_plan, plan_epoch
from fd2lib.views import halves as half_batches

MODES = ("batch", "evaluation")


def load_teachers(folders: Sequence[str | Path], device: torch.device, how: str = "off") -> list[Teacher]:
    """Load trained teachers, frozen and in evaluation mode, laid out as convolutions are fastest.

    Their logits are made as the setting ``compiled`` says.

    Raises:
        ArtefactError: a teacher's run is not complete, or its files have changed.
    """
    whole = [intact(folder, "pretrain", WEIGHTS, DESCRIPTION) for folder in folders]
    teachers = [Teacher.load(folder, device).to(memory_format=torch.channels_last) for folder in whole]
    for teacher in teachers if how != "off" else ():
        run = compiled(teacher.logits, how, device)
        teacher.__dict__["logits"] = lambda *inputs, run=run: run(*inputs).clone()  # its next run may overwrite them
    return teachers


@torch.no_grad()
def soft_labels(
    teachers: Teacher | Sequence[Teacher],
    images01: Tensor,
    *,
    mode: str = "batch",
    source: str = "backbone",
    halves: bool = True,
) -> Tensor:
    """Return what teachers say of a batch of images, however it was cropped, mixed or changed (method section 5).

    Args:
        teachers: in evaluation mode, as :meth:`fd2lib.models.Teacher.load` gives them; their logits are averaged. They
            are left as they are, BatchNorm buffers included.
        images01: the batch as the student will see it, float ``[b, 3, S, S]`` in [0, 1], on the teachers' device.
        mode: ``batch`` normalises by the batch's own BatchNorm statistics (authors' release), ``evaluation`` by the
            running ones, so that an image's label does not depend on the others.
        source: whose logits: the teachers' ``backbone`` or attention ``head``.
        halves: with ``batch``, take the statistics of each half of the batch, as students train on halves.

    Returns:
        Logits ``[b, K]``, float32; :func:`fd2lib.losses.soft_label_loss` takes them.

    Raises:
        SettingError: no teacher, an unknown mode or source, or the head's logits of a teacher without one.
        ShapeError: the images are not float ``[b, 3, S, S]``.
    """
    given = [teachers] if isinstance(teachers, Teacher) else list(teachers)
    if not given:
        raise SettingError("no teacher was given; soft labels need at least one.")
    if mode not in MODES:
        raise SettingError(unknown("label_mode", mode, MODES))
    if images01.ndim != 4 or not images01.is_floating_point():
        raise ShapeError(f"images are {images01.dtype} {tuple(images01.shape)}; expected float [b, 3, S, S] in [0, 1].")
    parts = half_batches(images01) if halves else [slice(None)]
    total = torch.zeros((), device=images01.device)
    for teacher in given:
        inputs = teacher.normalize(images01).contiguous(memory_format=torch.channels_last)
        if mode == "evaluation":
            logits = teacher.logits(inputs, source)
        else:
            with batch_statistics(teacher):
                logits = torch.cat([teacher.logits(inputs[part], source) for part in parts])
        total = total + logits.float()
    return total / len(given)


def plan_logits(
    teachers: Sequence[Teacher], images: Tensor, plan: BatchPlan, label_mode: str, label_source: str
) -> Tensor:
    """Return :func:`soft_labels` of a planned batch of the whole distilled set ``[N, 3, S, S]`` in [0, 1]."""
    return soft_labels(teachers, apply_plan(images, plan), mode=label_mode, source=label_source)


def epoch_logits(settings: RelabelSettings, teachers: Sequence[Teacher], images: Tensor, epoch: int) -> Tensor:
    """Return the logits ``[N, K]`` of an epoch's rows, before they are stored, of images ``[N, 3, S, S]`` in [0, 1].

    Rows are the views in the order of their plans. With ``regime`` "fixed" they are the images, each seen whole, in
    evaluation mode whatever ``label_mode`` says: what does not depend on the view may not depend on the batch either.
    """
    with autocast(images.device, settings.precision):
        if settings.regime == "fixed":
            batches = torch.split(images, settings.batch_size)
            whole = [soft_labels(teachers, one, mode="evaluation", source=settings.label_source) for one in batches]
            return torch.cat(whole)
        plans = plan_epoch(settings, len(images), images.shape[-1], epoch, images.device)
        choices = settings.label_mode, settings.label_source
        return torch.cat([plan_logits(teachers, images, plan, *choices) for plan in plans])


def view_labels(settings: RelabelSettings, rows: Tensor, plans: Sequence[BatchPlan], temperature: float) -> Tensor:
    """Return the logits ``[N, K]`` of an epoch's views, in the order of their plans, from its stored rows ``[N, K]``.

    Plans and rows are on one device. Labels per view are these rows. Of fixed ones CutMix mixes the probabilities, at
    the student's temperature, as it mixes the images: ``λ·own + (1 − λ)·other``. So the loss has the gradient of the
    two labels' losses in this mixture.
    """
    if settings.regime != "fixed":
        return rows
    own = torch.cat([plan.indices for plan in plans])
    other = torch.cat([plan.indices[plan.permutation] for plan in plans])
    pairs = [(plan.lam, 1 - plan.lam) for plan in plans for _ in range(len(plan))]
    wide = widest_float(rows.device)
    shares = torch.tensor(pairs, dtype=torch.float64).log().to(wide).to(rows.device)  # [N, 2], −inf without a mixture
    logs = (rows.to(wide) / temperature).log_softmax(1)
    return (temperature * torch.logaddexp(logs[own] + shares[:, :1], logs[other] + shares[:, 1:])).float()
