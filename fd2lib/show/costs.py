"""What a distilled set costs: images passed through networks, seconds, memory and bytes, against the whole set.

Costs are means over the students of a method in one setting. Images passed through networks come from settings and set
sizes, so they are the same on every machine; seconds are those of the machine and of what else ran on it.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.data import list_datasets
from fd2lib.ground import SettingError, load_recipe, unknown
from fd2lib.models import create_backbone
from fd2lib.show.statistics import summarise

STAGES = ("pretrain", "distill", "relabel", "evaluate")
MEASURES = ("images", "seconds", "peak_mib")
PLACE = ["scale", "dataset", "classes", "image_size"]  # what one table may hold
COMPARED = [*PLACE, "student", "student_init"]  # students alike but for what they learn from
BY = [*COMPARED, "start", "ipc", "method"]
WHOLE = "whole_set"  # the method that every other is compared with
LOGIT_BYTES = 2  # half precision
KIB, MIB = 2**10, 2**20
# Sizes of the soft labels that the authors' release gives for CUB-200-2011, by images per class, MiB.
RELEASE_LABEL_MIB = {1: 61, 3: 183, 5: 305}

_NUMBERS = ("image_size", "num_classes", "ipc", "seed", "last_top1", "teacher_top1", "images_bytes", "labels_bytes")
_COSTS = tuple(f"{stage}_{measure}" for measure in MEASURES for stage in STAGES)
_TEXTS = ("scale", "dataset", "classes", "student", "student_init", "start", "method", "teacher", "teacher_kind",
          "label_teacher", "device", "fingerprint", "settings")  # fmt: skip


def cost_rows(*tables: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return result rows from several sources as one table, what is measured as numbers.

    A cost that was not measured, or a column that an earlier version did not write, is NaN. A row that is there twice
    counts once.

    Args:
        tables: rows with the columns of :data:`fd2lib.record.COLUMNS`, as text or as values.
    """
    rows = pd.DataFrame([dict(row) for table in tables for row in table])
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *_TEXTS, *_NUMBERS, *_COSTS])))
    for name in (*_NUMBERS, *_COSTS):
        rows[name] = pd.to_numeric(rows[name], errors="coerce")
    for name in _TEXTS:
        rows[name] = rows[name].astype(object).where(rows[name].notna(), "").astype(str)
    for name in ("image_size", "ipc", "seed"):
        rows[name] = rows[name].fillna(0).astype(int)
    return rows.drop_duplicates(["fingerprint", "settings"], keep="last").reset_index(drop=True)


def costs(rows: pd.DataFrame, measure: str = "seconds") -> pd.DataFrame:
    """Return the mean cost of every stage by scale, set of images, device, start and method; n students.

    Args:
        rows: result rows, as :func:`load_rows` or :func:`cost_rows` returns them.
        measure: ``images`` passed through networks (device apart, they do not depend on it), ``seconds``, or
            ``peak_mib``, which is NaN where it was not measured stage by stage.

    Raises:
        SettingError: another measure.
    """
    if measure not in MEASURES:
        raise SettingError(unknown("measure of cost", measure, MEASURES))
    columns = [name for stage in STAGES if (name := f"{stage}_{measure}") in rows]
    asked = [*PLACE, *(["device"] if measure != "images" else []), "start", "ipc", "method"]
    grouped = rows.groupby([name for name in asked if name in rows], sort=False)
    return grouped[columns].mean().assign(n=grouped.size()).reset_index()


def stored_bytes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what a set takes, KiB per class, and what its students reach.

    Returns:
        The columns of :data:`BY`, then ``images, labels, total`` (KiB per class), ``ratio`` (labels to images), and
        ``mean, low, high, n`` of the accuracy in % (see :func:`summarise`).
    """
    reached = summarise(rows, by=BY)
    per_class = {name: rows[f"{name}_bytes"] / rows["num_classes"] / KIB for name in ("images", "labels")}
    held = rows.assign(**per_class).groupby(BY, sort=False)[["images", "labels"]].mean().reset_index()
    held["total"] = held["images"] + held["labels"]
    held["ratio"] = held["labels"] / held["images"]
    return held.merge(reached, on=BY)


def plain_teachers(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose one teacher is the plain network that their students are too."""
    kind = rows["teacher_kind"].where(rows["teacher_kind"] != "", rows["label_teacher"])
    return rows[(kind == "plain") & (rows["teacher"] == rows["student"]) & rows["teacher_top1"].notna()]


def break_even(rows: pd.DataFrame, unit: str = "images", store: bool = True) -> pd.DataFrame:
    """Return from which student on a distilled set is cheaper than training each student on the whole set.

    Making a set (pretrain, distill, relabel) is paid once; each student then costs its training. Nothing here says
    that the students are equally good: their accuracies stand beside.

    Args:
        rows: as :func:`cost_rows` returns them; those of the method ``whole_set`` are what is compared with.
        unit: ``images`` passed through networks, or ``seconds``, compared only within one device.
        store: ``False`` counts the labels' pass through the teachers for each student, as when none are stored.

    Returns:
        The columns of :data:`BY`, then ``once, each, whole`` in the unit, ``students`` (inf: never),
        ``mean`` and ``whole_mean`` (accuracies in %).
    """
    made = [f"{stage}_{unit}" for stage in STAGES[:3]]
    once, each = rows[made].sum(axis=1, min_count=3), rows[f"evaluate_{unit}"]
    if not store:
        once, each = once - rows[made[2]], each + rows[made[2]]
    device = ["device"] if unit == "seconds" else []
    found = rows.assign(once=once, each=each, mean=rows["last_top1"])
    whole = found[found["method"] == WHOLE].groupby([*COMPARED, *device])[["each", "mean"]].mean()
    means = found[found["method"] != WHOLE].groupby([*BY, *device], sort=False)[["once", "each", "mean"]].mean()
    whole = whole.rename(columns={"each": "whole", "mean": "whole_mean"}).reset_index()
    both = means.reset_index().merge(whole, on=[*COMPARED, *device])
    both["students"] = [
        students_needed(*values) for values in zip(both["once"], both["each"], both["whole"], strict=True)
    ]
    return both[[*BY, "once", "each", "whole", "students", "mean", "whole_mean"]]


def students_needed(once: float, each: float, whole: float) -> float:
    """Return the smallest number n of students with ``once + n·each < n·whole``: inf for never, NaN if one is."""
    if any(value != value for value in (once, each, whole)):
        return float("nan")
    return float(math.floor(once / (whole - each)) + 1) if whole > each else float("inf")


def without_store(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what computing the labels again for each student (``relabel.store = false``) saves and costs.

    Returns:
        The columns of :data:`BY`, then ``labels`` (KiB that need not be stored), ``teachers`` (KiB of the networks
        that must be kept in their place), ``again_images`` and ``again_seconds`` (for each student), and ``students``
        (see :func:`break_even`, in images).
    """
    soft = rows[rows["labels_bytes"] > 0]
    held = [
        sum(network_bytes(name, int(row["num_classes"]), int(row["image_size"])) for name in row["teacher"].split())
        for _, row in soft.iterrows()
    ]
    found = soft.assign(
        labels=soft["labels_bytes"] / KIB,
        teachers=pd.Series(held, index=soft.index, dtype=float) / KIB,
        again_images=soft["relabel_images"],
        again_seconds=soft["relabel_seconds"],
    )
    means = found.groupby(BY, sort=False)[["labels", "teachers", "again_images", "again_seconds"]].mean().reset_index()
    return means.merge(break_even(rows, store=False)[[*BY, "students"]], on=BY, how="left")


@functools.cache
def network_bytes(name: str, num_classes: int, image_size: int) -> int:
    """Return the bytes of a network's weights and buffers in single precision."""
    state = create_backbone(name, num_classes, image_size=image_size, features=False).state_dict()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def label_bytes(epochs: int, images: int, num_classes: int) -> int:
    """Return the bytes of stored soft labels: a logit for each class of each image's view in every epoch."""
    return epochs * images * num_classes * LOGIT_BYTES


def published_labels(dataset: str = "cub200", ipcs: Sequence[int] = tuple(RELEASE_LABEL_MIB)) -> pd.DataFrame:
    """Return the size of the paper's soft labels by formula beside what the authors' release gives, MiB.

    Args:
        dataset: a registered set of images.
        ipcs: images per class.

    Returns:
        ``ipc, formula, release`` (NaN where it gives none), ``logit_bytes`` (what the release takes for one logit),
        ``pixels`` (the images' 8-bit pixels, not compressed) and ``teacher`` (the network that gives the labels).
    """
    classes, found = list_datasets()[dataset].num_classes, []
    for ipc in ipcs:
        recipe = load_recipe("paper", dataset=dataset, method="sre2lpp_fd2", ipc=ipc)
        images, size = ipc * classes, recipe.image_size
        formula = label_bytes(recipe.relabel.epochs, images, classes) / MIB
        given = RELEASE_LABEL_MIB.get(ipc, math.nan) if dataset == "cub200" else math.nan
        found.append(
            {
                "ipc": str(ipc),
                "formula": formula,
                "release": float(given),
                "logit_bytes": LOGIT_BYTES * given / formula,
                "pixels": images * 3 * size**2 / MIB,
                "teacher": network_bytes(recipe.backbone, classes, size) / MIB,
            }
        )
    return pd.DataFrame(found)
