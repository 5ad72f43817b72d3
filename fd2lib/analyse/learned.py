"""What was measured about teachers and distilled sets, over seeds: attention, diversity, distinctness, newness."""

from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.analyse.reading import Rows, load_rows, parts
from fd2lib.analyse.statistics import NUMBERS, difference, interval
from fd2lib.record import ATTENTION, GEOMETRY

MEASURED = ATTENTION.groups  # scale, images and the teachers' network: what no table mixes
KINDS = ("class_activation", "channel_mean", "head_attention", "occlusion", "head_occlusion")  # of maps, in order
# Of a set of images, in the order of the tables.
QUANTITIES = ("diversity", "distinctness", "similarity", "attention_similarity", "newness", "copies")
# Kinds of map of the CAL teacher and of the plain one that are defined alike; the last are each network's own answer.
_ALIKE = {name: name for name in ("class_activation", "channel_mean", "occlusion")} | {"head_occlusion": "occlusion"}
_BESIDE = ("chance", "centre", "average_map", "cell_spread", "cell_offset")  # means that stand beside a mass
_DIFFERENCES = [*MEASURED, "ipc", "space", "start", "what", *NUMBERS, "verdict"]


def load_attention(source: str | Path | Rows, *, missing_ok: bool = False) -> pd.DataFrame:
    """Return rows of ``attention.csv``, or of :func:`fd2lib.measure.attention_rows`, as :func:`load_rows` does."""
    return load_rows(source, ATTENTION, missing_ok=missing_ok)


def load_geometry(source: str | Path | Rows, *, missing_ok: bool = False) -> pd.DataFrame:
    """Return rows of ``geometry.csv``, or of :func:`fd2lib.measure.geometry_rows`, as :func:`load_rows` does.

    ``diversity`` is the difference of two images of one class over that of real images, ``distinctness`` the
    difference of images of two classes over that of images of one class, ``newness`` the difference to the nearest
    training image over that between nearest training images.
    """
    table = load_rows(source, GEOMETRY, missing_ok=missing_ok)
    return table.assign(
        diversity=table["within"] / table["real_within"],
        distinctness=table["ratio"],
        newness=table["nearest"] / table["real_nearest"],
    )


def mass_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how much of each kind of map lies on the parts, by teacher, over seeds.

    Returns:
        :data:`MEASURED`, ``teacher_kind, map``; ``mean, low, high, n`` of the mass, %; ``above`` (minus chance) and
        ``own`` (minus the average map), intervals in points; ``chance, centre, average_map, cell_spread,
        cell_offset``, their means, %; ``masks`` and ``map_size``.
    """
    found = []
    for key, group in parts(rows, [*MEASURED, "teacher_kind", "map"]):
        mass, beside = group["mass"], {name: group[name].mean() for name in _BESIDE}
        gaps = {"above": interval(mass - group["chance"]), "own": interval(mass - group["average_map"])}
        told = {name: group[name].iloc[0] for name in ("masks", "map_size")}
        found.append(key | interval(mass)._asdict() | gaps | beside | told)
    return pd.DataFrame(found)


def geometry_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what sets are like to the teacher that judges them: an interval over seeds of each quantity, and n.

    Returns:
        :data:`MEASURED`, ``space, judge`` (where one judged all seeds), ``start, method, images, ipc``,
        :data:`QUANTITIES` and ``n``. The first row of each part is all training images
        (``images`` is ``real``), which the sets are read against.
    """
    found: list[dict[str, Any]] = []
    for key, part in parts(rows[rows["space"] == "judge"], [*MEASURED, "space"]):
        judges = part["judge"].unique()
        key["judge"] = judges[0] if len(judges) == 1 else ""
        once = part.drop_duplicates("seed")
        real = {name: once.get(f"real_{name}", pd.Series(1.0, once.index)) for name in QUANTITIES}
        real |= {"distinctness": once["real_ratio"], "copies": pd.Series(5.0, once.index)}
        means = {name: values.mean() for name, values in real.items()}
        found.append(key | {"start": "", "method": "", "images": "real", "ipc": 0} | means | {"n": len(once)})
        # Whole images before optimisation are the control's.
        made = part[(part["images"] == "distilled") | (part["start"] != "whole")]
        for own, group in parts(made, ["start", "method", "images", "ipc"]):
            numbers: dict[str, Any] = {name: interval(group[name]) for name in QUANTITIES}
            # Copies are a bounded share: a t-interval would leave it.
            found.append(key | own | numbers | {"copies": group["copies"].mean(), "n": len(group)})
    return pd.DataFrame(found)


def mass_differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, for maps defined alike on both, mass of the CAL teacher minus the plain one, paired by seed.

    It is, in points, by :data:`MEASURED` and ``what`` (the CAL teacher's kind of map), ``mean, low, high, n, verdict``.
    """
    found = []
    for key, part in parts(rows, MEASURED):
        masses = part.set_index(["teacher_kind", "map", "seed"])["mass"].sort_index()
        for cal, plain in _ALIKE.items():
            if ("cal", cal) in masses and ("plain", plain) in masses:
                found.append(key | {"what": cal} | difference(masses["cal", cal] - masses["plain", plain]))
    return pd.DataFrame([row for row in found if row["n"]], columns=_DIFFERENCES).dropna(axis=1, how="all")


def geometry_differences(rows: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Return method ``a − b``, paired by seed: ``mean, low, high, n, verdict`` of each quantity, ``what``.

    It is by :data:`MEASURED`, ``ipc, space, start``.
    """
    found = []
    made = rows[(rows["images"] == "distilled") & rows["space"].isin(["imagenet", "judge"])]
    for key, group in parts(made, [*MEASURED, "ipc", "space", "start"]):
        sides = [group[group["method"] == method].groupby("seed") for method in (a, b)]
        for name in [name for name in QUANTITIES if name != "copies"]:
            ours, base = (side[name].mean() for side in sides)
            found.append(key | {"what": name} | difference(ours - base))
    return pd.DataFrame([row for row in found if row["n"]], columns=_DIFFERENCES)
