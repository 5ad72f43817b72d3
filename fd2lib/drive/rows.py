"""The result row of an experiment: what was asked, what it reached, what it cost, how it was made."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from fd2lib.ground import Recipe
from fd2lib.record import read_manifest

if TYPE_CHECKING:
    from fd2lib.drive.experiment import Experiment


def settings_text(recipe: Recipe) -> str:
    """Return all settings of an experiment as JSON with sorted keys: what identifies its row among others.

    ``teachers`` is there where several make the images, ``label_teachers`` where others make the labels.
    """
    stages: dict[str, Any] = {
        name: dataclasses.asdict(getattr(recipe, name)) for name in ("pretrain", "distill", "relabel", "evaluate")
    }
    if len(recipe.teachers) > 1:
        stages["teachers"] = [dataclasses.asdict(teacher) for teacher in recipe.teachers]
    if recipe.label_teachers != recipe.teachers:
        stages["label_teachers"] = [dataclasses.asdict(teacher) for teacher in recipe.label_teachers]
    return json.dumps(stages, sort_keys=True)


def result_row(experiment: "Experiment") -> dict[str, Any]:
    """Run an experiment's stages and return its row (see :data:`fd2lib.record.COLUMNS`)."""
    recipe, data = experiment.recipe, experiment.dataset
    images, labels, student = experiment.distill(), experiment.relabel(), experiment.evaluate()
    makers, labellers = experiment.image_teachers(), experiment.label_teachers()
    # Real images have no teacher; where labels have one, it is the one to name.
    teachers = makers or labellers
    ipc = recipe.relabel.ipc or len(images.change_by_index)
    manifest = read_manifest(student.folder, "evaluate")
    made = manifest["provenance"]
    return {
        **_asked(recipe),
        "num_classes": len(data.classes),
        "teacher_kind": recipe.teacher if makers else "",
        "label_teacher": recipe.label_teacher if labellers else "",
        "teacher": " ".join(teacher.backbone for teacher in recipe.teachers) if teachers else "",
        "teacher_init": recipe.pretrain.init if teachers else "",
        "last_top1": round(student.last_accuracy, 4),
        "best_top1": round(student.best_accuracy, 4),
        "teacher_top1": _mean([result.backbone_accuracy for result in teachers]),
        "teacher_head_top1": _mean([result.head_accuracy for result in teachers]),
        "label_teacher_top1": _mean([result.backbone_accuracy for result in labellers]),
        "test_images": student.test_images,
        "mean_pixel_change": round(sum(images.change_by_index[:ipc]) / ipc, 6),
        "images_bytes": sum(images.bytes_by_index[:ipc]),
        "labels_bytes": labels.label_bytes,
        **_costs(experiment, len(teachers), len(labellers)),
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
        **provenance_columns(made),
    }


def provenance_columns(made: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that say what a row was made with, from :func:`fd2lib.record.provenance`."""
    versions = " ".join(f"{name} {version}" for name, version in made["versions"].items())
    return {"device": made["device"], "versions": versions, "commit": made["commit"], "date": made["date"]}


def _asked(recipe: Recipe) -> dict[str, Any]:
    """The columns that say what was asked for."""
    return {
        "scale": recipe.scale,
        "dataset": recipe.dataset,
        "classes": recipe.classes,
        "image_size": recipe.image_size,
        "bundle": recipe.bundle,
        "method": recipe.method,
        "start": recipe.distill.start,
        "ipc": recipe.relabel.ipc,
        "seed": recipe.evaluate.seed,
        "student": recipe.evaluate.student,
        "student_init": recipe.evaluate.student_init,
        "labels": recipe.evaluate.labels,
        "headline": recipe.headline,
    }


def _costs(experiment: "Experiment", teachers: int, labellers: int) -> dict[str, int]:
    """Images passed through networks, stage by stage, from settings and set sizes."""
    recipe, data = experiment.recipe, experiment.dataset
    views = {"release": 3 if recipe.pretrain.attention else 1, "random": 3, "paper": 1}[recipe.pretrain.views]
    count = recipe.relabel.ipc * len(data.classes) or len(data.train)
    return {
        "pretrain_images": teachers * views * recipe.pretrain.epochs * len(data.train),
        "distill_images": recipe.distill.iterations * recipe.relabel.ipc * len(data.classes),
        "relabel_images": labellers * recipe.relabel.epochs * count,
        "evaluate_images": recipe.relabel.epochs * count,
    }


def _mean(values: Sequence[float | None]) -> float | str:
    known = [value for value in values if value is not None]
    return round(mean(known), 4) if known else ""


def _peak(folders: Sequence[Path], stage: str) -> float | str:
    """The largest peak of a stage's runs; empty where one did not measure it."""
    peaks = [read_manifest(folder, stage)["provenance"].get("stage_peak_memory_mib") for folder in folders]
    return max(peaks) if peaks and None not in peaks else ""
