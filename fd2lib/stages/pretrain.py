"""Stage 1, pretrain ("squeeze"): a teacher on the whole training set.

With ``attention`` the teacher carries the counterfactual attention head and class prototypes of FD²;
without, it is the plain network that the base method uses. The last epoch is kept: nothing is selected
on test images.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fd2lib.data import Dataset, ImageSplit, batches, resident
from fd2lib.ground import PretrainSettings, atomic_stream, from_first, make_generator
from fd2lib.losses import pretrain_loss
from fd2lib.losses.pretrain import PretrainTerms
from fd2lib.models import Teacher, create_teacher
from fd2lib.record import RunFolder
from fd2lib.stages.computing import autocast, sent_ahead, to_unit
from fd2lib.stages.course import DatasetInputs, Made, StageResult, run_epochs, run_stage
from fd2lib.stages.finite import Watch
from fd2lib.stages.parallel import Crew, Turn
from fd2lib.stages.pixel_statistics import pixel_statistics
from fd2lib.stages.teacher_views import Draws, attention_views, draw_epoch, random_views
from fd2lib.views import training_views

_FILES = ["teacher.safetensors", "teacher.json", "history.csv", "predictions.npz"]


class PretrainInputs(DatasetInputs):
    """The training and test images."""


@dataclass(frozen=True)
class PretrainResult(StageResult):
    """A trained teacher; accuracies in % on the test images."""

    backbone_accuracy: float
    head_accuracy: float | None


def run_pretrain(
    settings: PretrainSettings,
    inputs: PretrainInputs,
    out_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> PretrainResult:
    """Train a teacher, or load it when ``out_dir`` holds it; resumes at the last finished epoch.

    The folder gets ``teacher.safetensors``, ``teacher.json``, ``history.csv``, ``predictions.npz`` (test labels and
    logits) and ``manifest.json``.

    Raises:
        ArtefactError: ``out_dir`` was made with other settings or inputs.
        TrainingError: a loss is no longer finite.
    """

    def make(run: RunFolder, device: torch.device) -> Made:
        teacher = _train(settings, inputs.dataset, run, device, progress)
        return from_first(lambda: _test(teacher, inputs.dataset, run, device)), _FILES

    return run_stage(PretrainResult, settings, inputs, out_dir, device, make)


def _train(settings: PretrainSettings, data: Dataset, run: RunFolder, device: torch.device, progress: bool) -> Teacher:
    teacher = create_teacher(settings, data.classes, data.image_size, *pixel_statistics(data))
    teacher = teacher.to(device).to(memory_format=torch.channels_last)
    optimizer = _optimizer(teacher, settings)
    one_epoch = partial(_run_epoch, teacher, optimizer, settings, resident(data.train, device), Crew(device))
    shown = ("total", "train_accuracy")
    parts: dict[str, Any] = {"teacher": teacher, "optimizer": optimizer}
    run_epochs(run, settings.epochs, parts, one_epoch, PretrainTerms._fields, shown, progress)
    return teacher


def _optimizer(teacher: Teacher, settings: PretrainSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        betas = (settings.momentum, 0.999)
        return torch.optim.AdamW(teacher.parameters(), rate, betas=betas, weight_decay=decay, fused=True)
    return torch.optim.SGD(teacher.parameters(), rate, momentum=settings.momentum, weight_decay=decay)


def learning_rate_at(settings: PretrainSettings, epoch: int) -> float:
    """Return the rate of an epoch: ``rate × 0.9^(epoch/2)``, or a cosine to ``final_learning_rate``."""
    if settings.schedule == "exponential":
        return settings.learning_rate * 0.9 ** (epoch / 2)
    fall = 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
    return settings.final_learning_rate + (settings.learning_rate - settings.final_learning_rate) * fall


def _run_epoch(
    teacher: Teacher,
    optimizer: torch.optim.Optimizer,
    settings: PretrainSettings,
    split: ImageSplit,
    crew: Crew,
    epoch: int,
    watch: Watch,
) -> dict[str, float]:
    rate = learning_rate_at(settings, epoch)
    for group in optimizer.param_groups:
        group["lr"] = rate
    teacher.train()
    network = crew.wrap(teacher)
    sums: dict[str, Tensor] = {}
    device, order = teacher.mean.device, make_generator(settings.seed, "pretrain", epoch)
    steps = batches(split, settings.batch_size, device, order)
    drawn = sent_ahead(draw_epoch(teacher, settings, epoch, len(split)), device)
    for (images, labels, _), draws in zip(steps, drawn, strict=True):
        (turn,) = crew.turns([slice(0, len(labels))])
        own = draws if turn.group is None else draws.of(turn.own)
        views = training_views(to_unit(images[turn.own]), own.views, settings.jitter, settings.rotation)
        with autocast(device, settings.precision), turn.statistics():
            terms = _losses(teacher, network, teacher.normalize(views), labels[turn.own], settings, own, turn)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(terms["total"] * turn.weight)
        optimizer.step()
        watch.see([terms[name] for name in watch.names])
        for name, value in terms.items():
            # sums stay on the device: one host synchronisation per epoch, not per step
            sums[name] = sums.get(name, 0) + value.detach().float() * (turn.weight * len(labels))
    totals = crew.mean(torch.stack(list(sums.values()))).tolist()
    means = {name: total / len(split) for name, total in zip(sums, totals, strict=True)}
    return {"epoch": epoch, "learning_rate": rate, **means}


def _losses(
    teacher: Teacher,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: PretrainSettings,
    draws: Draws,
    turn: Turn,
) -> dict[str, Tensor]:
    """One step's loss terms and accuracy in %, of the turn's images; moves the prototypes by the whole batch's.

    The network is the teacher, as it is called in several processes.
    """
    reads_only = settings.head_gradient == "stopped"
    output = network(images, None, draws.counterfactual, stop_gradient=reads_only)  # logits [B, K]
    raw, prototypes, further = output.attention, teacher.prototypes, None
    if settings.views == "random":
        further = network(random_views(images, draws.boxes), None, draws.further, stop_gradient=reads_only)
    elif settings.views == "release" and raw is not None:
        views = attention_views(images, raw.attention_maps, draws)
        further = network(views, None, draws.further, stop_gradient=reads_only)
    alone = raw is None or reads_only  # nothing but its own cross-entropy trains the backbone
    terms = pretrain_loss(
        output.logits,
        labels,
        attention_ratio=settings.attention_ratio,
        raw=raw,
        augmented=None if raw is None or further is None else further.attention,
        centers=None if prototypes is None else prototypes.unit()[labels],  # [B, M·C], before this step's update
        backbone_weight=1.0 if alone else None,
        backbone_augmented=further.logits if further is not None and alone and settings.views == "random" else None,
    )
    if prototypes is not None:
        prototypes.update(turn.rows(raw.part_features.detach().float()), turn.rows(labels))
    predicted = (output.logits if raw is None else raw.logits).argmax(1)
    return terms._asdict() | {"train_accuracy": 100 * (predicted == labels).float().mean()}


def _test(teacher: Teacher, data: Dataset, run: RunFolder, device: torch.device) -> dict[str, float | None]:
    """Write the teacher and its test predictions, and return the accuracies in %."""
    teacher.save(run.folder)
    logits = predict(teacher, data.test, device)
    labels = data.test.labels
    accuracy = {name: 100 * (value.argmax(1) == labels).double().mean().item() for name, value in logits.items()}
    arrays: dict[str, Any] = {"labels": labels.numpy(), **{name: value.numpy() for name, value in logits.items()}}
    with atomic_stream(run.folder / "predictions.npz") as stream:
        np.savez_compressed(stream, **arrays)
    return {"backbone_accuracy": accuracy["backbone_logits"], "head_accuracy": accuracy.get("head_logits")}


@torch.no_grad()
def predict(teacher: Teacher, split: ImageSplit, device: torch.device) -> dict[str, Tensor]:
    """Return ``backbone_logits`` and, with a head, ``head_logits`` ``[N, K]`` on the CPU, images as they are."""
    teacher.eval()
    outputs: dict[str, list[Tensor]] = {"backbone_logits": [], "head_logits": []}
    for images, _, _ in batches(split, 128, device):
        output = teacher(teacher.normalize(to_unit(images)))
        outputs["backbone_logits"].append(output.logits)
        if output.attention is not None:
            outputs["head_logits"].append(output.attention.logits)
    return {name: torch.cat(parts).float().cpu() for name, parts in outputs.items() if parts}
