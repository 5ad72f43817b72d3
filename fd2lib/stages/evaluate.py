"""Stage 4, evaluate ("validate"): a student trained on distilled images and their labels only.

The headline is the accuracy after the last epoch. The best over the tested epochs stands beside it and is
selected on test images, as its name says wherever it is shown.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fd2lib.data import Batch, Dataset, ImageSplit, batches, resident
from fd2lib.ground import EvaluateSettings, SettingError, atomic_stream, is_first, mapped
from fd2lib.models import Backbone, create_backbone
from fd2lib.record import RunFolder, content_fingerprint, read_manifest
from fd2lib.stages.computing import autocast, compiled, normalize_pixels, to_unit
from fd2lib.stages.course import DatasetInputs, Made, StageResult, run_epochs, run_stage
from fd2lib.stages.finite import Watch
from fd2lib.stages.lesson import Lesson
from fd2lib.stages.parallel import Crew
from fd2lib.stages.pixel_statistics import Statistics, pixel_statistics
from fd2lib.stages.student import STUDENT, save_student
from fd2lib.views import halves


@dataclass(frozen=True)
class EvaluateInputs(DatasetInputs):
    """Test images, and the folder of the labels (which knows its images and teachers)."""

    labels: Path

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of the images, the distilled images, the labels and how they were made."""
        return super().fingerprints() | {
            "labels": content_fingerprint(self.labels, "relabel"),
            "relabel": read_manifest(self.labels, "relabel")["fingerprint"],
        }


@dataclass(frozen=True)
class EvaluateResult(StageResult):
    """A student's test accuracies in %."""

    last_accuracy: float
    best_accuracy: float
    test_images: int


def run_evaluate(
    settings: EvaluateSettings,
    inputs: EvaluateInputs,
    out_dir: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> EvaluateResult:
    """Train and test a student, or load what it reached; resumes at the last finished epoch.

    The folder gets ``history.csv`` (loss and rate per epoch, test accuracy where tested), ``predictions.npz`` (test
    labels and logits of the last epoch), ``student.safetensors`` and ``manifest.json``.

    Raises:
        ArtefactError: ``out_dir`` was made with other settings or inputs, or an input run is not complete.
        TrainingError: the loss is no longer finite.
    """

    def make(run: RunFolder, device: torch.device) -> Made:
        history = _train(
            Lesson.load(Path(inputs.labels), len(inputs.dataset.classes), settings, device),
            inputs.dataset,
            run,
            progress,
        )
        tested = [row["test_accuracy"] for row in history if row["test_accuracy"] != ""]
        accuracies = {"last_accuracy": tested[-1], "best_accuracy": max(tested)}
        files = ["history.csv", "predictions.npz", STUDENT]
        return accuracies | {"test_images": len(inputs.dataset.test)}, files

    return run_stage(EvaluateResult, settings, inputs, out_dir, device, make)


def _train(lesson: Lesson, data: Dataset, run: RunFolder, progress: bool) -> list[dict[str, Any]]:
    settings, device, epochs = lesson.settings, lesson.images.device, lesson.relabel.epochs
    asked: dict[str, Any] = {"init": settings.student_init, "stem": settings.stem, "seed": settings.seed}
    student = create_backbone(settings.student, data.num_classes, image_size=data.image_size, features=False, **asked)
    student = student.to(device).to(memory_format=torch.channels_last)
    own = pixel_statistics(data)
    statistics = student.mean or own[0], student.std or own[1]
    optimizer, rates = _optimizer(student, settings)
    crew = Crew(device)
    if crew.size > 1 and settings.compiled != "off":
        raise SettingError(
            f"evaluate.compiled is {settings.compiled!r}, but {crew.size} processes train the student, which are not "
            "compiled. Set it to off, or general.processes to 1."
        )
    run_student, test = compiled(student, settings.compiled, device), resident(data.test, device)
    last: list[Tensor] = []  # logits of the latest test

    def one_epoch(epoch: int, watch: Watch) -> dict[str, Any]:
        share = 0.5 * (1 + math.cos(math.pi * epoch / (2 * epochs)))
        for group, highest in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = highest * share
        student.train()
        loss = _run_epoch(run_student, optimizer, lesson, epoch, statistics, crew, watch)
        accuracy: float | str = ""
        if (epoch + 1) % settings.test_every == 0 or epoch + 1 == epochs:
            last[:] = [predict_student(student, test, statistics, device)]
            accuracy = 100 * (last[0].argmax(1) == data.test.labels).double().mean().item()
        return {
            "epoch": epoch,
            "learning_rate": settings.learning_rate * share,
            "loss": loss,
            "test_accuracy": accuracy,
        }

    parts: dict[str, Any] = {"student": student, "optimizer": optimizer}
    shown = ("loss", "test_accuracy")
    history = run_epochs(run, epochs, parts, one_epoch, ["loss"], shown, progress)
    # A run that was stopped between its last epoch and its end has not tested in this sitting.
    logits = last[0] if last else predict_student(student, test, statistics, device)
    if not is_first():
        return history
    with atomic_stream(run.folder / "predictions.npz") as stream:
        np.savez_compressed(stream, labels=data.test.labels.numpy(), logits=logits.numpy())
    save_student(run.folder, student, statistics)
    return history


def _optimizer(student: Backbone, settings: EvaluateSettings) -> tuple[torch.optim.AdamW, list[float]]:
    """AdamW whose weight decay spares biases and norms (one dimension), and the first rate of each of its groups."""
    split = {settings.learning_rate: list(student.parameters())}
    if settings.backbone_rate:
        own = {id(p) for p in student.classifier.parameters()}
        split = {settings.learning_rate: [p for p in student.parameters() if id(p) in own]}
        split[settings.backbone_rate] = [p for p in student.parameters() if id(p) not in own]
    groups: list[dict[str, Any]] = []
    for rate, parameters in split.items():
        decayed, spared = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
        groups.append({"params": decayed, "weight_decay": settings.weight_decay, "lr": rate})
        groups.append({"params": spared, "weight_decay": 0.0, "lr": rate})
    return torch.optim.AdamW(groups, settings.learning_rate, fused=True), [group["lr"] for group in groups]


def _run_epoch(
    student: Backbone,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    epoch: int,
    statistics: Statistics,
    crew: Crew,
    watch: Watch,
) -> float:
    """One pass over the distilled images; each batch as halves with accumulated gradients. Returns the mean loss."""
    network = crew.wrap(student)
    total, count = torch.zeros((), device=lesson.images.device), 0
    for plan, views, logits in lesson.epoch(epoch):
        images = normalize_pixels(views, *statistics).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad(set_to_none=True)
        with crew.step(student, halves(plan)) as turns:
            for turn in turns:
                with autocast(images.device, lesson.settings.precision), turn.statistics():
                    output = network(images[turn.own]).logits
                loss = lesson.loss(output.float(), plan, turn.own, logits) * turn.weight
                torch.autograd.backward(loss)
                total += loss.detach()
        optimizer.step()
        watch.see([total])  # a sum that is no longer finite stays so
        count += 1
    return crew.mean(total).item() / count


@torch.no_grad()
def predict_student(student: Backbone, split: ImageSplit, statistics: Statistics, device: torch.device) -> Tensor:
    """Return the student's logits ``[N, K]`` on the CPU for whole images; ``statistics`` is (mean, std)."""
    student.eval()

    def logits(batch: Batch) -> Tensor:
        return student(normalize_pixels(to_unit(batch.images), *statistics)).logits

    return torch.cat(mapped(logits, batches(split, 128, device))).float().cpu()
