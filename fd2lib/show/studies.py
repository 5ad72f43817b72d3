"""Studies: arms that differ in one thing, each against the study's reference, seed by seed.

A row belongs to an arm because its settings say so; nothing here trains, and an arm without rows is called so.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fd2lib.ground import ArtefactError
from fd2lib.show.statistics import interval, paired_difference

SAME = "the same"  # a verdict: equal images and equal students, so that not even chance can tell the arms apart
# What equal arms agree in. Not the run's fingerprint, which at 1 image per class knows the larger set it is cut from.
_MARKS = ["images_bytes", "mean_pixel_change", "label_teacher", "last_top1", "best_top1"]


@dataclass(frozen=True)
class StudyResults:
    """What was measured of a study."""

    title: str
    reference: str  # the arm that the others are compared with
    titles: Mapping[str, str]  # arm -> title, in the study's order
    # One student a row: arm, ipc, seed, last_top1 (%), label_teacher_top1 (%), mean_pixel_change (share of the range),
    # mark (equal in twins).
    rows: pd.DataFrame
    scale: str = ""  # of the rows
    images: str = ""  # what images they are of
    guessing: float = math.nan  # %, what guessing among their classes gives

    @property
    def ipcs(self) -> list[int]:
        """Images per class that there are rows for."""
        return sorted(self.rows["ipc"].unique().tolist())

    def accuracies(self, arm: str, ipc: int) -> pd.Series:
        """Return an arm's test accuracies, %, one a seed."""
        return self.rows.loc[(self.rows["arm"] == arm) & (self.rows["ipc"] == ipc), "last_top1"]


def study_results(study: Any, rows: Iterable[Mapping[str, Any]], title: str = "", reference: str = "") -> StudyResults:
    """Return a study's rows, ready for tables and figures.

    A whole training set has no images per class: its students stand beside each IPC, and its title says how many
    images they are.

    Args:
        study: has a ``title``, a ``reference`` and ``arms``, by name, with a ``title`` each.
        rows: as :func:`fd2lib.drive.study_rows` returns them, of one scale and set of images.
        title: in place of the study's.
        reference: in place of the study's.

    Raises:
        ArtefactError: the rows are of several scales or sets of images, or a student stands there twice.
    """
    rows = list(rows)
    place = ("scale", "dataset", "classes", "image_size", "num_classes")
    places = {tuple(str(row[name]) for name in place) for row in rows}
    if len(places) > 1:
        raise ArtefactError(f"the rows of {study.title!r} are of {sorted(places)}; expected one scale and image set.")
    scale, dataset, classes, size, count = next(iter(places), ("", "", "", "", "1"))
    columns = ["arm", "asked_ipc", "ipc", "seed", "evaluate_images", "settings", "label_teacher_top1", *_MARKS]
    table = pd.DataFrame(rows, columns=columns)
    table["mark"] = [" ".join(map(str, marks)) for marks in table[_MARKS].to_numpy()]
    table = table.astype({"asked_ipc": int, "ipc": int, "seed": int, "last_top1": float, "mean_pixel_change": float})
    small, whole = table[table["ipc"] > 0], table[table["ipc"] == 0].drop_duplicates(["arm", "seed"])
    titles = {name: arm.title for name, arm in study.arms.items()}
    for row in whole.drop_duplicates("arm").to_dict("records"):
        epochs = json.loads(row["settings"])["relabel"]["epochs"]
        titles[row["arm"]] += f" ({int(row['evaluate_images']) // epochs:,} images)"
    ipcs = (small if len(small) else whole)[["asked_ipc"]].drop_duplicates()
    spread = whole.drop(columns="asked_ipc").merge(ipcs, how="cross")
    kept = pd.concat([small, spread], ignore_index=True).drop(columns="ipc").rename(columns={"asked_ipc": "ipc"})
    kept["label_teacher_top1"] = pd.to_numeric(kept["label_teacher_top1"])
    kept = kept[["arm", "ipc", "seed", "last_top1", "label_teacher_top1", "mean_pixel_change", "mark"]]
    images = ", ".join(filter(None, [dataset, classes and f"classes {classes}", f"{size} px"]))
    if kept.duplicated(["arm", "ipc", "seed"]).any():
        raise ArtefactError(f"a student of {study.title!r} is there twice; expected one for each arm, IPC and seed.")
    names = title or study.title, reference or study.reference
    return StudyResults(*names, titles, kept, scale, images, 100 / int(count))


def arm_differences(results: StudyResults) -> pd.DataFrame:
    """Return each arm minus the reference over the seeds that both have, for each IPC.

    Returns:
        As :func:`paired_difference`, by ``ipc``; the verdict is :data:`SAME` where both arms are (see :func:`twins`).
    """
    tables = [
        paired_difference(results.rows, arm, results.reference, by=["ipc"], column="arm")
        for arm in results.titles
        if arm != results.reference
    ]
    differences = pd.concat(tables, ignore_index=True)
    same = {(ipc, arm) for ipc, arms in twins(results) if results.reference in arms for arm in arms}
    keys = zip(differences["ipc"], differences["a"], strict=True)
    differences["verdict"] = [
        SAME if key in same else word for key, word in zip(keys, differences["verdict"], strict=True)
    ]
    return differences


def twins(results: StudyResults) -> list[tuple[int, list[str]]]:
    """Return the arms, by IPC, that are the same in every seed: other settings, but equal images and students."""
    found = []
    for ipc, part in results.rows.groupby("ipc"):
        marks = part.pivot_table(index="arm", columns="seed", values="mark", aggfunc="last").fillna("")
        groups: dict[tuple[str, ...], list[str]] = {}
        for arm in results.titles:
            if arm in marks.index:
                groups.setdefault(tuple(marks.loc[arm]), []).append(arm)
        found += [(int(ipc), arms) for arms in groups.values() if len(arms) > 1]
    return found


def not_measured(results: StudyResults) -> list[str]:
    """Return the titles of the arms, with the IPC where they are not missing throughout, that have no row."""
    there = set(zip(results.rows["arm"], results.rows["ipc"], strict=True))
    found = []
    for arm, title in results.titles.items():
        absent = [ipc for ipc in results.ipcs if (arm, ipc) not in there]
        if absent:
            everywhere = len(absent) == len(results.ipcs)
            found.append(title if everywhere else f"{title} at {', '.join(map(str, absent))} per class")
    return found


def shares(results: StudyResults, of: str) -> pd.DataFrame:
    """Return what share of one arm's accuracy each arm reaches, seed by seed.

    Args:
        results: of a study.
        of: the arm that is 100 %.

    Returns:
        ``ipc, arm, mean, low, high, n``: shares in % with their 95 % t-intervals over the seeds that both have.
    """
    wide = results.rows.pivot_table(index=["ipc", "seed"], columns="arm", values="last_top1")
    found = []
    for ipc, part in wide.groupby("ipc"):
        for arm in results.titles:
            ratio = (100 * part[arm] / part[of].where(part[of] > 0)).dropna() if {arm, of} <= set(part) else []
            if len(ratio):
                found.append((ipc, arm, *interval(ratio)))
    return pd.DataFrame(found, columns=["ipc", "arm", "mean", "low", "high", "n"])


def by_arm(table: pd.DataFrame, ipc: int, column: str) -> dict[str, dict[str, Any]]:
    """Return the rows of one IPC by what stands in ``column``."""
    return {row[column]: row for row in table[table["ipc"] == ipc].to_dict("records")}


def per_class(ipc: int) -> str:
    """Return an IPC in words; 0 is every image that there is."""
    if not ipc:
        return "whole training set"
    return f"{ipc} image{'s' * (ipc != 1)} per class"
