"""Studies: arms that differ in one thing, each against the study's reference, seed by seed.

A row belongs to an arm because its settings say so; nothing here trains, and an arm without rows is not measured.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import pandas as pd

from fd2lib.analyse.reading import PLACE, Rows, parts, records, typed
from fd2lib.analyse.statistics import NUMBERS, Interval, interval, paired_difference
from fd2lib.ground import ArtefactError

SAME = "the same"  # a verdict: equal images and equal students, so that not even chance can tell the arms apart
# What equal arms agree in. Not the run's fingerprint, which at 1 image per class knows the larger set it is cut from.
_MARKS = ["images_bytes", "mean_pixel_change", "label_teacher_kind", "last_top1", "best_top1"]


class Titled(Protocol):
    """Something with a title, such as an arm."""

    @property
    def title(self) -> str:
        """For people."""


class StudyLike(Titled, Protocol):
    """What is read of a study: :class:`fd2lib.drive.Study`."""

    @property
    def reference(self) -> str:
        """The arm that the others are compared with."""

    @property
    def arms(self) -> Mapping[str, Titled]:
        """By name."""


@dataclass(frozen=True)
class StudyResults:
    """What was measured of a study."""

    title: str
    reference: str  # the arm that the others are compared with
    titles: Mapping[str, str]  # arm -> title, in the study's order
    # One student a row: arm, ipc, seed, last_top1 (%), label_teacher_top1 (%), mean_pixel_change (share of the range),
    # mark (equal in twins).
    rows: pd.DataFrame
    place: Mapping[str, Any] = field(default_factory=dict)  # scale, images and num_classes; empty without rows

    @property
    def ipcs(self) -> list[int]:
        """Images per class that there are rows for."""
        return sorted(self.rows["ipc"].unique().tolist())

    @property
    def measured(self) -> list[str]:
        """Arms that have rows, in the study's order."""
        there = set(self.rows["arm"])
        return [arm for arm in self.titles if arm in there]

    def accuracies(self, arm: str, ipc: int) -> pd.Series:
        """Return an arm's test accuracies, %, by seed."""
        return self._by_arm[arm, ipc] if (arm, ipc) in self._by_arm else self._reached[:0]

    @cached_property
    def _reached(self) -> pd.Series:
        return self.rows.set_index("seed")["last_top1"]

    @cached_property
    def _by_arm(self) -> dict[Any, pd.Series]:
        """Accuracies of each arm at each IPC: comparisons ask for them again and again."""
        places = self.rows.groupby(["arm", "ipc"], sort=False).indices
        return {key: self._reached.iloc[own] for key, own in places.items()}

    def accuracy(self, arm: str, ipc: int) -> Interval:
        """Return an arm's mean test accuracy, %."""
        return interval(self.accuracies(arm, ipc))

    def gap(self, arm: str, ipc: int) -> Interval:
        """Return an arm minus the reference in points, over the seeds that both have."""
        return interval(self.accuracies(arm, ipc) - self.accuracies(self.reference, ipc))


def study_results(study: StudyLike, rows: Rows, title: str = "", reference: str = "") -> StudyResults:
    """Return a study's rows, ready for tables and figures.

    The rows are such as :func:`fd2lib.drive.study_rows` gives, of one scale and set of images; title and reference can
    replace the study's. A whole training set has no images per class: its students stand beside each IPC, and its title
    says how many images they are.

    Raises:
        ArtefactError: the rows are of several scales or sets of images, or a student stands there twice.
    """
    table = typed(rows)
    places = [key for key, _ in parts(table, [*PLACE, "num_classes"])]
    if len(places) > 1:
        raise ArtefactError(f"the rows of {study.title!r} are of {places}; expected one scale and image set.")
    table["mark"] = [" ".join(map(str, marks)) for marks in table[_MARKS].to_numpy()]
    table = table.reindex(columns=list(dict.fromkeys([*table.columns, "arm", "asked_ipc"])))
    table = table.astype({"asked_ipc": int, "ipc": int, "seed": int})
    small, whole = table[table["ipc"] > 0], table[table["ipc"] == 0].drop_duplicates(["arm", "seed"])
    titles = {name: arm.title for name, arm in study.arms.items()}
    for row in records(whole.drop_duplicates("arm")):
        epochs = json.loads(row["settings"])["relabel"]["epochs"]
        titles[row["arm"]] += f" ({int(row['evaluate_images']) // epochs:,} images)"
    ipcs = (small if len(small) else whole)[["asked_ipc"]].drop_duplicates()
    beside = whole.drop(columns="asked_ipc").merge(ipcs, how="cross")
    kept = pd.concat([small, beside], ignore_index=True).drop(columns="ipc").rename(columns={"asked_ipc": "ipc"})
    kept = kept[["arm", "ipc", "seed", "last_top1", "label_teacher_top1", "mean_pixel_change", "mark"]]
    if kept.duplicated(["arm", "ipc", "seed"]).any():
        raise ArtefactError(f"a student of {study.title!r} is there twice; expected one for each arm, IPC and seed.")
    names = title or study.title, reference or study.reference
    return StudyResults(*names, titles, kept, places[0] if places else {})


def arm_means(results: StudyResults) -> pd.DataFrame:
    """Return every measured arm's ``ipc, arm, mean, low, high, n``, in the study's order."""
    found = [
        {"ipc": ipc, "arm": arm} | results.accuracy(arm, ipc)._asdict()
        for ipc in results.ipcs
        for arm in results.measured
        if len(results.accuracies(arm, ipc))
    ]
    return pd.DataFrame(found, columns=["ipc", "arm", *NUMBERS])


def arm_differences(results: StudyResults) -> pd.DataFrame:
    """Return :func:`paired_difference` of each arm and the reference by ``ipc``.

    The verdict is :data:`SAME` where both arms are (see :func:`twins`).
    """
    others = [arm for arm in results.titles if arm != results.reference]
    tables = [paired_difference(results.rows, arm, results.reference, by=["ipc"], column="arm") for arm in others]
    differences = pd.concat(tables, ignore_index=True)
    same = {(ipc, arm) for ipc, arms in twins(results) if results.reference in arms for arm in arms}
    differences["verdict"] = [
        SAME if (row["ipc"], row["a"]) in same else row["verdict"] for row in records(differences)
    ]
    return differences


def contrast_differences(results: StudyResults, contrasts: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """Return :func:`paired_difference` of pairs of arms, each with its title, such as a study's ``contrasts``.

    Before the numbers stand scale and images, ``ipc, contrast`` (such as ``fd2_rival``), ``effect`` (the title) and the
    arms ``a, b``.
    """
    place, tables = {name: results.place.get(name, "") for name in PLACE}, []
    for a, b, title in contrasts:
        gaps = paired_difference(results.rows, a, b, by=["ipc"], column="arm")
        tables.append(gaps.assign(**place, contrast=f"{a}_{b}", effect=title))
    return pd.concat(tables, ignore_index=True)[[*PLACE, "ipc", "contrast", "effect", "a", "b", *NUMBERS, "verdict"]]


def compared(studies: Mapping[str, StudyResults]) -> pd.DataFrame:
    """Return :func:`arm_differences` of studies by name, under their and their arms' titles.

    Before them stand scale and images, ``study`` and ``contrast`` (such as ``parts_cal``).
    """
    found = [
        {name: results.place.get(name, "") for name in PLACE}
        | {"study": results.title.rstrip("?"), "contrast": f"{study}_{row['a']}"}
        | row
        | {side: results.titles[row[side]] for side in ("a", "b")}
        for study, results in studies.items()
        for row in records(arm_differences(results))
    ]
    return pd.DataFrame(found, columns=[*PLACE, "study", "contrast", "ipc", "a", "b", *NUMBERS, "verdict"])


def twins(results: StudyResults) -> list[tuple[int, list[str]]]:
    """Return the arms, by IPC, that are the same in every seed: other settings, but equal images and students."""
    found = []
    for key, part in parts(results.rows, ["ipc"]):
        marks = part.pivot_table(index="arm", columns="seed", values="mark", aggfunc="last").fillna("")
        known = dict(zip(marks.index, map(tuple, marks.to_numpy().tolist()), strict=True))
        groups: dict[tuple[str, ...], list[str]] = {}
        for arm in [arm for arm in results.titles if arm in known]:
            groups.setdefault(known[arm], []).append(arm)
        found += [(int(key["ipc"]), arms) for arms in groups.values() if len(arms) > 1]
    return found


def shares(results: StudyResults, of: str) -> pd.DataFrame:
    """Return what share of the accuracy of the arm ``of`` each arm reaches, seed by seed.

    It is ``ipc, arm, mean, low, high, n``: shares in % with their 95 % t-intervals over the seeds that both have.
    """
    wide = results.rows.pivot_table(index=["ipc", "seed"], columns="arm", values="last_top1").reset_index()
    found = []
    for key, part in parts(wide, ["ipc"]):
        for arm in results.measured if of in wide else []:
            ratio = (100 * part[arm] / part[of].where(part[of] > 0)).dropna()
            found += [key | {"arm": arm} | interval(ratio)._asdict()] if len(ratio) else []
    return pd.DataFrame(found, columns=["ipc", "arm", *NUMBERS])
