"""What the measuring commands share: their options, the experiments they name, and tables of rows with provenance."""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import pandas as pd

from fd2lib.drive.experiment import Experiment, Request
from fd2lib.ground import SCALES, ArtefactError, SettingError, atomic_path
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
    made = provenance(experiment.device)
    versions = " ".join(f"{name} {version}" for name, version in made["versions"].items())
    return {"device": made["device"], "versions": versions, "commit": made["commit"], "date": made["date"]}


def put_rows(rows: Sequence[Mapping[str, Any]], path: str | Path, columns: Sequence[str], key: Sequence[str]) -> None:
    """Add rows to a CSV table; a row that agrees with one there in every column of ``key`` replaces it.

    Args:
        rows: a value for each column.
        path: the table; made with its header when missing.
        columns: of the table, in their order.
        key: columns that identify a row.

    Raises:
        SettingError: a row lacks a column or has one too many.
        ArtefactError: the file has other columns, or could not be written.
    """
    for row in rows:
        if wrong := set(columns) ^ row.keys():
            raise SettingError(f"row and columns differ in {', '.join(sorted(wrong))}; give exactly the columns.")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        table = pd.DataFrame([{name: str(row[name]) for name in columns} for row in rows], columns=list(columns))
        if path.is_file() and path.stat().st_size:
            before = pd.read_csv(path, dtype=str, keep_default_na=False)
            if list(before) != list(columns):
                raise ArtefactError(
                    f"{path} has columns {list(before)}; expected those of results/SCHEMA.md. Name another file."
                )
            table = pd.concat([before, table]).drop_duplicates(list(key), keep="last")
        with atomic_path(path) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")


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


def seeds_of(options: argparse.Namespace) -> list[int]:
    """Return ``--seeds`` as numbers.

    Raises:
        SettingError: something else than numbers, or none.
    """
    try:
        return [int(text) for text in options.seeds.split(",")]
    except ValueError as error:
        raise SettingError(
            f"--seeds is {options.seeds!r}; expected whole numbers separated by commas, as 0,1."
        ) from error


def with_settings(experiment: Experiment, extra: str, **changes: Any) -> Experiment:
    """Return an experiment with changes and one further override of the recipe."""
    settings = " ".join(filter(None, [experiment.request.settings, extra]))
    return experiment.with_(settings=settings, **changes)
