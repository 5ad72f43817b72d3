"""What the measuring commands share: their options, the experiments they name, and tables of rows with provenance."""

import argparse
import dataclasses
from typing import Any

from fd2lib.drive.experiment import Experiment, Request, join_settings
from fd2lib.drive.rows import provenance_columns
from fd2lib.ground import SCALES
from fd2lib.record import provenance

# Columns of every measured table: what was measured, and what the row was made from.
SETTING: dict[str, str] = {
    "scale": "toy, reduced or paper; rows of different scales are never compared",
    "dataset": "name of the image set",
    "classes": "class subset asked for; empty for all",
    "num_classes": "number of classes",
    "image_size": "pixels, square",
    "backbone": "network of the teachers",
    "init": "their initial weights",
    "seed": "seed of every stage",
}
PROVENANCE: dict[str, str] = {
    "device": "device of the measurement",
    "versions": "torch, torchvision, timm and numpy versions",
    "commit": "fd2lib commit of the measurement",
    "date": "time of the measurement, UTC",
}


def setting_of(experiment: Experiment) -> dict[str, Any]:
    """Return the values of :data:`SETTING` for an experiment."""
    recipe = experiment.recipe
    return {
        "scale": recipe.scale,
        "dataset": recipe.dataset,
        "classes": recipe.classes,
        "num_classes": experiment.dataset.num_classes,
        "image_size": recipe.image_size,
        "backbone": recipe.pretrain.backbone,
        "init": recipe.pretrain.init,
        "seed": experiment.request.seed,
    }


def provenance_of(experiment: Experiment) -> dict[str, Any]:
    """Return the values of :data:`PROVENANCE` for a measurement made now."""
    return provenance_columns(provenance(experiment.device))


def add_options(command: argparse.ArgumentParser, out: str) -> None:
    """Give a command the options that name its experiments, and ``--out``."""
    command.add_argument("--dataset", default=Request.dataset, help="plumage or cub200")
    command.add_argument("--data-root", default="", help="folder that holds the set")
    command.add_argument("--classes", default="", help="subset, as of the command run")
    command.add_argument("--image-size", type=int, default=0, help="pixels; 0 takes the scale's default")
    command.add_argument("--backbone", default="", help="timm name; empty takes the scale's default")
    command.add_argument("--scale", default="reduced", choices=SCALES)
    command.add_argument("--seeds", default="0,1,2", help="comma-separated")
    command.add_argument("--set", dest="settings", default="", help="overrides that the runs were made with")
    command.add_argument("--device", default="auto")
    command.add_argument("--runs-dir", default="runs", help="where stages keep their artefacts")
    command.add_argument("--out", default=out, help="the table to write")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def first_experiment(options: argparse.Namespace, **fixed: Any) -> Experiment:
    """Return the experiment that the options of :func:`add_options` name; others are made from it ``with_``."""
    names = {field.name for field in dataclasses.fields(Request)} & vars(options).keys()
    return Experiment(**{name: getattr(options, name) for name in names}, progress=not options.quiet, **fixed)


def with_settings(experiment: Experiment, extra: str, **changes: Any) -> Experiment:
    """Return an experiment with changes and one further override of the recipe."""
    return experiment.with_(settings=join_settings(experiment.request.settings, extra), **changes)
