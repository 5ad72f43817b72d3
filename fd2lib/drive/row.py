"""The row of results that an experiment makes: what was asked, reached, and spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from fd2lib.analyse import passes_per_image
from fd2lib.data import Dataset
from fd2lib.drive.asked import settings_text
from fd2lib.ground import DistillSettings, Recipe, setting_values
from fd2lib.measure import provenance_columns
from fd2lib.record import read_manifest
from fd2lib.stages import DistillResult, EvaluateResult, PretrainResult, RelabelResult


@dataclass(frozen=True)
class Finished:
    """What an experiment asked and made."""

    recipe: Recipe
    dataset: Dataset
    asked: DistillSettings  # of the images, of which the student may have seen fewer per class
    makers: Sequence[PretrainResult]  # the images' teachers
    labellers: Sequence[PretrainResult]
    images: DistillResult
    labels: RelabelResult
    student: EvaluateResult


def result_row(done: Finished) -> dict[str, Any]:
    """Return the row of an experiment (see :data:`fd2lib.record.STUDENTS`)."""
    recipe, images, labels, student = done.recipe, done.images, done.labels, done.student
    makers, labellers = done.makers, done.labellers
    teachers = makers or labellers  # real images have no teacher; where labels have one, it is the one to name
    ipc = recipe.relabel.ipc or len(images.change_by_index)
    manifest = read_manifest(student.folder, "evaluate")
    return {
        **_asked(recipe),
        "image_set": done.dataset.image_set,
        "images_fingerprint": done.dataset.fingerprint,
        "num_classes": len(done.dataset.classes),
        "distill_ipc": done.asked.ipc,
        "teacher_kind": recipe.teacher_kind if makers else "",
        "label_teacher_kind": recipe.label_teacher_kind if labellers else "",
        "teacher_backbones": recipe.teacher_backbones if teachers else "",
        "teacher_init": setting_values(recipe.pretrain)["init"] if teachers else "",
        "last_top1": round(student.last_accuracy, 4),
        "best_top1": round(student.best_accuracy, 4),
        "teacher_top1": _mean([result.backbone_accuracy for result in teachers]),
        "teacher_head_top1": _mean([result.head_accuracy for result in teachers]),
        "label_teacher_top1": _mean([result.backbone_accuracy for result in labellers]),
        "test_images": student.test_images,
        "mean_pixel_change": round(sum(images.change_by_index[:ipc]) / ipc, 6),
        "images_bytes": sum(images.bytes_by_index[:ipc]),
        "labels_bytes": labels.label_bytes,
        **_costs(done, len(teachers), len(labellers)),
        "pretrain_seconds": round(sum(result.seconds for result in teachers), 2),
        "distill_seconds": images.seconds,
        "relabel_seconds": labels.seconds,
        "evaluate_seconds": student.seconds,
        "pretrain_peak_mib": _peak([result.folder for result in teachers], "pretrain"),
        "distill_peak_mib": _peak([images.folder], "distill"),
        "relabel_peak_mib": _peak([labels.folder], "relabel"),
        "evaluate_peak_mib": _peak([student.folder], "evaluate"),
        "fingerprint": manifest["fingerprint"],
        "settings": settings_text(recipe),
        **provenance_columns(manifest["provenance"]),
    }


def _asked(recipe: Recipe) -> dict[str, Any]:
    """The columns that say what was asked for."""
    return {
        **{name: getattr(recipe, name) for name in ("scale", "dataset", "classes", "image_size", "bundle", "method")},
        "start": recipe.distill.start,
        "ipc": recipe.relabel.ipc,
        "seed": recipe.pretrain.seed,
        "student": recipe.evaluate.student,
        "student_init": setting_values(recipe.evaluate)["student_init"],
        "labels": recipe.evaluate.labels,
        "headline": recipe.headline,
    }


def _costs(done: Finished, teachers: int, labellers: int) -> dict[str, int]:
    """Images passed through networks, stage by stage, from settings and set sizes.

    A teacher that only scores crops is not counted: it makes starts equal in a comparison and is of no method.
    """
    recipe, data = done.recipe, done.dataset
    count = recipe.relabel.ipc * len(data.classes) or len(data.train)
    return {
        "pretrain_images": teachers * passes_per_image(recipe.pretrain) * recipe.pretrain.epochs * len(data.train),
        "distill_images": recipe.distill.iterations * recipe.relabel.ipc * len(data.classes),
        "relabel_images": labellers * recipe.relabel.label_epochs * count,
        "evaluate_images": recipe.relabel.epochs * count,
    }


def _mean(values: Sequence[float | None]) -> float | str:
    known = [value for value in values if value is not None]
    return round(mean(known), 4) if known else ""


def _peak(folders: Sequence[Path], stage: str) -> float | str:
    """The largest peak of a stage's runs; empty where one did not measure it."""
    peaks = [read_manifest(folder, stage)["provenance"].get("stage_peak_memory_mib") for folder in folders]
    return max(peaks) if peaks and None not in peaks else ""
