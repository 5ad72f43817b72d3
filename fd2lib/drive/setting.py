"""Columns that every measured table has: what was measured, and what the row was made from."""

from typing import Any

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.rows import provenance_columns
from fd2lib.ground import setting_values
from fd2lib.record import provenance


def setting_of(experiment: Experiment) -> dict[str, Any]:
    """Return the columns that say what a measurement is of."""
    recipe, data = experiment.recipe, experiment.dataset
    return {
        "scale": recipe.scale,
        "dataset": recipe.dataset,
        "image_set": data.image_set,
        "images_fingerprint": data.fingerprint,
        "classes": recipe.classes,
        "num_classes": data.num_classes,
        "image_size": recipe.image_size,
        "backbone": recipe.pretrain.backbone,
        "init": setting_values(recipe.pretrain)["init"],
        "seed": experiment.request.seed,
    }


def provenance_of(experiment: Experiment) -> dict[str, Any]:
    """Return the columns that say what a measurement made now is made with."""
    return provenance_columns(provenance(experiment.device))
