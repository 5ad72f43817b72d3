"""What a distilled set costs: images passed through networks, seconds, memory and bytes, against the whole set.

Costs are means over the students of a method in one setting. Images passed through networks come from settings and set
sizes, so they are the same on every machine; seconds are those of the machine and of what else ran on it.
"""

import functools
import math
from collections.abc import Iterable

import pandas as pd

from fd2lib import models
from fd2lib.analyse.reading import LEARNER, PLACE, Rows, load_rows
from fd2lib.analyse.statistics import summarise
from fd2lib.ground import SettingError, unknown

STAGES = ("pretrain", "distill", "relabel", "evaluate")
MEASURES = ("images", "seconds", "peak_mib")
BY = [*LEARNER, "start", "ipc", "method"]
WHOLE = "whole_set"  # the method that every other is compared with
KIB, MIB = 2**10, 2**20


def cost_rows(*tables: Rows) -> pd.DataFrame:
    """Return :func:`fd2lib.analyse.load_rows` of several sources as one; a run that is in two of them counts once."""
    rows = {(row["fingerprint"], row["settings"]): row for table in tables for row in table}
    return load_rows(rows.values())


def costs(rows: pd.DataFrame, measure: str = "seconds") -> pd.DataFrame:
    """Return the mean cost of every stage by scale, set of images, device, start and method; n students.

    It is measured in ``images`` passed through networks (not by device, as they do not depend on it), ``seconds``, or
    ``peak_mib``, which is NaN where it was not measured stage by stage.

    Raises:
        SettingError: another measure.
    """
    if measure not in MEASURES:
        raise SettingError(unknown("measure of cost", measure, MEASURES))
    device = ["device"] if measure != "images" else []
    grouped = rows.groupby([*PLACE, *device, "start", "ipc", "method"], sort=False)
    return grouped[[f"{stage}_{measure}" for stage in STAGES]].mean().assign(n=grouped.size()).reset_index()


def timings(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how long the same training of the same student took in different rows, by scale, images and device.

    It is ``low, high`` (seconds, of the work that differed most) and ``factor``.
    """
    timed = rows[(rows["evaluate_images"] > 0) & (rows["evaluate_seconds"] > 0)]
    work = [*LEARNER, "device", "evaluate_images"]
    seconds = timed.groupby(work, sort=False)["evaluate_seconds"].agg(low="min", high="max", size="size").reset_index()
    seconds["factor"] = seconds["high"] / seconds["low"]
    seconds = seconds[seconds["size"] > 1]
    most = seconds.sort_values("factor", ascending=False).drop_duplicates([*PLACE, "device"]).sort_index()
    return most[[*PLACE, "device", "low", "high", "factor"]].reset_index(drop=True)


def stored_bytes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, by the columns of :data:`BY`, what a set takes and what its students reach.

    It takes ``images, labels, total`` (KiB per class) and ``ratio`` (labels to images); they reach ``mean, low, high,
    n`` in % (see :func:`summarise`), and ``plain`` is the accuracy of the plain teacher, itself trained on the whole
    set (NaN where there is none).
    """
    per_class = {name: rows[f"{name}_bytes"] / rows["num_classes"] / KIB for name in ("images", "labels")}
    held = rows.assign(**per_class).groupby(BY, sort=False)[["images", "labels"]].mean().reset_index()
    held["total"] = held["images"] + held["labels"]
    held["ratio"] = held["labels"] / held["images"]
    kind = rows["teacher_kind"].where(rows["teacher_kind"] != "", rows["label_teacher_kind"])
    plain = rows[(kind == "plain") & (rows["teacher_backbones"] == rows["student"])]  # one, of the students' kind
    teachers = plain.groupby(LEARNER)["teacher_top1"].mean().rename("plain").reset_index()
    return held.merge(summarise(rows, by=BY), on=BY).merge(teachers, on=LEARNER, how="left")


def break_even(rows: pd.DataFrame, unit: str = "images", store: bool = True) -> pd.DataFrame:
    """Return from which student on a distilled set is cheaper than training each student on the whole set.

    Making a set (pretrain, distill, relabel) is paid once; each student then costs its training. The unit is ``images``
    passed through networks, or ``seconds``, compared only within one device. Without ``store`` the labels' pass through
    the teachers counts for each student. Nothing here says that the students are equally good: their accuracies stand
    beside.

    Returns:
        The columns of :data:`BY`, with seconds also ``device``, then ``once, each, whole`` in the unit, ``students``
        (inf: never), ``mean`` and ``whole_mean`` (accuracies in %).
    """
    made = [f"{stage}_{unit}" for stage in STAGES[:3]]
    once, each = rows[made].sum(axis=1, min_count=3), rows[f"evaluate_{unit}"]
    if not store:
        once, each = once - rows[made[2]], each + rows[made[2]]
    device = ["device"] if unit == "seconds" else []
    found = rows.assign(once=once, each=each, mean=rows["last_top1"])
    whole = found[found["method"] == WHOLE].groupby([*LEARNER, *device])[["each", "mean"]].mean()
    means = found[found["method"] != WHOLE].groupby([*BY, *device], sort=False)[["once", "each", "mean"]].mean()
    whole = whole.rename(columns={"each": "whole", "mean": "whole_mean"}).reset_index()
    both = means.reset_index().merge(whole, on=[*LEARNER, *device])
    sides = zip(both["once"], both["each"], both["whole"], strict=True)
    both["students"] = pd.Series([students_needed(*values) for values in sides], dtype=float)
    return both[[*BY, *device, "once", "each", "whole", "students", "mean", "whole_mean"]]


def spans(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what the costs of one scale and set of images come to, each as the least and the most over its sets.

    Returns:
        ``low, high`` of: ``work`` (thousand images through networks to make the dearest set and train one student) and
        ``share`` (% of it to train teachers), ``seconds`` (of one training, in the runs that differ most), ``ratio``
        (bytes of images to labels), ``whole`` (bytes of the whole training set to those of a set), ``students``
        (from which on a set pays off), ``loss`` (points of accuracy below the whole set's), ``plain`` and ``best``
        (accuracy of the plain teacher and of students on the best set, %), ``store`` (bytes of teachers to labels).
    """
    work, kept, pays, again = costs(rows, "images"), stored_bytes(rows), break_even(rows), without_store(rows)
    made = work[work["ipc"] > 0].set_index("method")[[f"{stage}_images" for stage in STAGES]]
    top = made.iloc[int(made.sum(axis=1).argmax())]
    soft, full = kept[kept["labels"] > 0], kept[kept["method"] == WHOLE]
    found: dict[str, Iterable[float]] = {
        "work": [top.sum() / 1000],
        "share": [100 * top["pretrain_images"] / top.sum()],
        "seconds": timings(rows)[["low", "high"]].to_numpy().ravel(),
        "ratio": soft["images"] / soft["labels"],
        "whole": full["total"].mean() / soft["total"],
        "students": pays["students"],
        "loss": pays["whole_mean"] - pays["mean"],
        "plain": soft["plain"],
        "best": [soft["mean"].max()],
        "store": again["teachers"] / again["labels"],
    }
    ends = {name: (min(values, default=math.nan), max(values, default=math.nan)) for name, values in found.items()}
    return pd.DataFrame.from_dict(ends, orient="index", columns=["low", "high"])


def students_needed(once: float, each: float, whole: float) -> float:
    """Return the smallest number n of students with ``once + n·each < n·whole``: inf for never, NaN if one is."""
    if any(value != value for value in (once, each, whole)):
        return float("nan")
    return float(math.floor(once / (whole - each)) + 1) if whole > each else float("inf")


def without_store(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what computing the labels again for each student (``relabel.store = false``) saves and costs.

    It is, by the columns of :data:`BY`, ``labels`` (KiB that need not be stored), ``teachers`` (KiB of the networks
    that must be kept in their place), ``again_images`` and ``again_seconds`` (for each student), and ``students`` (see
    :func:`break_even`, in images).
    """
    soft = rows[rows["labels_bytes"] > 0]
    held = [
        sum(network_bytes(name, int(classes), int(size)) for name in str(names).split())
        for names, classes, size in zip(soft["teacher_backbones"], soft["num_classes"], soft["image_size"], strict=True)
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
    state = models.create_backbone(name, num_classes, image_size=image_size, features=False).state_dict()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())
