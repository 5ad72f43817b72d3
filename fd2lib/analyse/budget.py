"""Bytes of soft labels: what each format takes, by formula and beside the release, and what fewer cost in accuracy."""

import json
import math

import pandas as pd

from fd2lib.analyse.costs import KIB, MIB, network_bytes
from fd2lib.analyse.reading import Rows, records, typed
from fd2lib.analyse.statistics import Interval
from fd2lib.analyse.studies import StudyResults
from fd2lib.data import list_datasets
from fd2lib.ground import build_settings, load_recipe

LOGIT_BYTES = {16: 2, 8: 1}  # of a stored logit, by bits
ROW_BYTES = {16: 0, 8: 4}  # of a row besides: offset and step in half precision
# Sizes of the soft labels that the authors' release gives for CUB-200-2011, by images per class, MiB.
RELEASE_LABEL_MIB = {1: 61, 3: 183, 5: 305}
# Formats by title: bits, and which share of the epochs is kept (one in so many; 0: one vector for each image).
FORMATS = {
    "16 bits": (16, 1),
    "8 bits": (8, 1),
    "8 bits, a fifth of the epochs": (8, 5),
    "8 bits, a tenth": (8, 10),
    "8 bits, a twentieth": (8, 20),
    "16 bits, one vector per image": (16, 0),
}
# Goals, by arm of the study "budget": points below the full labels. 2.7 is what a fortieth of the bytes costs peers on
# Tiny-ImageNet (method section 7b); the other two are ours.
GOALS = {"bits8": 0.2, "twentieth": 1.0, "fortieth": 2.7}


def label_bytes(epochs: int, images: int, num_classes: int, bits: int = 16) -> int:
    """Return the bytes of stored soft labels, headers of files aside: one row for each image's view in every epoch.

    A row has a logit for each class, and with 8 bits its offset and step.
    """
    return epochs * images * (num_classes * LOGIT_BYTES[bits] + ROW_BYTES[bits])


def expected_label_bytes(rows: pd.DataFrame) -> pd.Series:
    """Return :func:`label_bytes` of students' rows, from their settings."""
    found = []
    for row in records(rows):
        settings = build_settings("relabel", json.loads(row["settings"])["relabel"], as_before=True)
        images = int(row["evaluate_images"]) // settings.epochs
        found.append(label_bytes(settings.label_epochs, images, int(row["num_classes"]), settings.bits))
    return pd.Series(found, rows.index, dtype=float)


def published_labels(dataset: str = "cub200") -> pd.DataFrame:
    """Return the size of the paper's soft labels by formula beside what the authors' release gives, MiB.

    Returns:
        ``ipc, formula, release`` (NaN where it gives none), ``logit_bytes`` (what the release takes for one logit),
        ``pixels`` (the images' 8-bit pixels, not compressed) and ``teacher`` (the network that gives the labels).
    """
    classes, found = list_datasets()[dataset].num_classes, []
    for ipc, released in RELEASE_LABEL_MIB.items():
        recipe = load_recipe("paper", dataset=dataset, method="sre2lpp_fd2", ipc=ipc)
        images, size = ipc * classes, recipe.image_size
        formula = label_bytes(recipe.relabel.epochs, images, classes) / MIB
        given = released if dataset == "cub200" else math.nan
        found.append({
            "ipc": str(ipc), "formula": formula, "release": float(given),
            "logit_bytes": LOGIT_BYTES[16] * given / formula, "pixels": images * 3 * size**2 / MIB,
            "teacher": network_bytes(recipe.backbone, classes, size) / MIB,
        })  # fmt: skip
    return pd.DataFrame(found)


def label_sizes(dataset: str = "cub200") -> pd.DataFrame:
    """Return what the paper's soft labels take in each format, by formula, below what the release gives.

    Returns:
        ``format``, ``kept`` (epochs), ``mib_1, mib_3, mib_5`` (MiB by images per class), ``fewer`` (times fewer bytes
        than in 16 bits) and ``release`` (than the release's, NaN where it gives none).
    """
    classes, ipcs = list_datasets()[dataset].num_classes, list(RELEASE_LABEL_MIB)
    epochs = load_recipe("paper", dataset=dataset, method="sre2lpp_fd2").relabel.epochs
    full = label_bytes(epochs, classes, classes) / MIB  # at one image per class
    released = RELEASE_LABEL_MIB[1] if dataset == "cub200" else math.nan
    lines = [("the release's files", epochs, float(released))] if released == released else []
    for title, (bits, share) in FORMATS.items():
        kept = epochs // share if share else 1
        lines.append((title, kept, label_bytes(kept, classes, classes, bits) / MIB))
    return pd.DataFrame([
        {"format": title, "kept": str(kept)} | {f"mib_{ipc}": ipc * one for ipc in ipcs}
        | {"fewer": full / one, "release": released / one}
        for title, kept, one in lines
    ])  # fmt: skip


def label_budget(results: StudyResults, rows: Rows) -> pd.DataFrame:
    """Return what each format of labels takes and what students lose by it, against the full labels, paired by seed.

    Results are those of the study "budget", and rows what they were made from.

    Returns:
        ``ipc``, ``arm``, ``title``, ``kib`` (mean size of the labels), ``fewer`` (times fewer bytes than the
        reference's), ``mean`` (accuracy, %), ``gap`` (points), both as intervals, ``n`` (paired seeds), ``goal``
        (points that may be lost; NaN: none) and ``verdict``.
    """
    taken: dict[tuple[int, str], list[float]] = {}
    for row in records(typed(rows)):
        taken.setdefault((int(row["ipc"]), row["arm"]), []).append(row["labels_bytes"])
    sizes = {key: sum(values) / len(values) for key, values in taken.items()}
    found = []
    for ipc in results.ipcs:
        for arm in [arm for arm in results.measured if (ipc, arm) in sizes]:
            gap, goal = results.gap(arm if arm != results.reference else "", ipc), GOALS.get(arm, math.nan)
            known = (ipc, results.reference) in sizes
            found.append({
                "ipc": ipc, "arm": arm, "title": results.titles[arm], "kib": sizes[ipc, arm] / KIB,
                "fewer": sizes[ipc, results.reference] / sizes[ipc, arm] if known else math.nan,
                "mean": results.accuracy(arm, ipc), "gap": gap, "n": gap.n, "goal": goal,
                "verdict": "reference" if arm == results.reference else _against(gap, goal),
            })  # fmt: skip
    columns = ["ipc", "arm", "title", "kib", "fewer", "mean", "gap", "n", "goal", "verdict"]
    return pd.DataFrame(found, columns=columns)


def _against(gap: Interval, goal: float) -> str:
    """What a paired difference says of a goal: the mean reaches it or not, and the interval decides it or not."""
    if goal != goal:
        return "no goal"
    if gap.mean != gap.mean:
        return "not measured"
    reached = gap.mean >= -goal
    decided = gap.n > 2 and (gap.low >= -goal if reached else gap.high < -goal)
    return ("reached" if reached else "missed") + ("" if decided else " by the mean, undecided")
