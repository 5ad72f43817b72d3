"""Where variance comes from: teachers, sets of images within a teacher, students within a set of images."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fd2lib.analyse.reading import parts
from fd2lib.ground import ArtefactError

COMPONENTS = ("teacher", "images", "student")


def nested_components(values: NDArray[np.float64]) -> pd.DataFrame:
    """Return the components of variance of a balanced nested design, by the analysis of variance.

    Of values ``[a, b, n]``: n students on each of b sets of images from each of a teachers, all at least 2. Mean
    squares are equated with what is expected of them (Searle, Casella & McCulloch 1992, section 3.6), which is unbiased
    and may give less than 0: it then says that the component is small against those below it, and is left as it is.

    Returns:
        ``component`` (teacher, images, student), ``variance`` (the values' unit, squared), ``deviation`` (its root, 0
        where it is less than 0), ``mean_square`` and ``degrees`` of freedom of it.

    Raises:
        ArtefactError: fewer than two of something.
    """
    if values.ndim != 3 or min(values.shape) < 2:
        raise ArtefactError(
            f"values are {values.shape}; expected at least two teachers, sets of images of each and students of each."
        )
    a, b, n = values.shape
    sets, teachers = values.mean(axis=2), values.mean(axis=(1, 2))
    degrees = (a - 1, a * (b - 1), a * b * (n - 1))
    squares = (
        b * n * np.square(teachers - values.mean()).sum(),
        n * np.square(sets - teachers[:, None]).sum(),
        np.square(values - sets[:, :, None]).sum(),
    )
    teacher, images, student = (float(square / free) for square, free in zip(squares, degrees, strict=True))
    variance = np.array([(teacher - images) / (b * n), (images - student) / n, student])
    return pd.DataFrame(
        {
            "component": COMPONENTS,
            "variance": variance,
            "deviation": np.sqrt(variance.clip(min=0)),
            "mean_square": [teacher, images, student],
            "degrees": degrees,
        }
    )


def variance_components(rows: pd.DataFrame, by: Sequence[str] = ("method", "ipc")) -> pd.DataFrame:
    """Return :func:`nested_components` of the accuracies of each group of rows, told apart by their stages' seeds.

    A row's teacher is the seed of pretraining, its set of images that of distillation, its student those of views and
    evaluation.

    Raises:
        ArtefactError: a group is not balanced: another number of students of a set, or of sets of a teacher.
    """
    found = [part.assign(**_seeds(part)) for _, part in parts(rows, by)]
    tables = [nested_components(_balanced(part)).assign(**_place(part, by)) for part in found]
    columns = [*by, "component", "variance", "deviation", "mean_square", "degrees"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _place(part: pd.DataFrame, by: Sequence[str]) -> dict[str, Any]:
    return {name: part[name].iloc[0] for name in by}


def _seeds(part: pd.DataFrame) -> dict[str, list[Any]]:
    """Of each row what tells its teacher, its images and its student apart."""
    settings = [json.loads(text) for text in part["settings"]]
    return {
        "teacher": [one["pretrain"]["seed"] for one in settings],
        "images": [one["distill"]["seed"] for one in settings],
        "student": [(one["relabel"]["seed"], one["evaluate"]["seed"]) for one in settings],
    }


def _balanced(part: pd.DataFrame) -> NDArray[np.float64]:
    """Accuracies as ``[teachers, sets of a teacher, students of a set]``."""
    teachers = [[list(one["last_top1"]) for _, one in own.groupby("images")] for _, own in part.groupby("teacher")]
    counts = {len(one) for own in teachers for one in own}
    if part.duplicated(list(COMPONENTS)).any() or len(counts) > 1 or len({len(own) for own in teachers}) > 1:
        told = "; ".join(" + ".join(str(len(one)) for one in own) for own in teachers)
        raise ArtefactError(f"students by teacher and set of images are {told}; expected as many everywhere.")
    return np.array(teachers, dtype=float)
