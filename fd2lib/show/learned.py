"""What was measured about teachers and distilled sets, as tables: attention, diversity, distinctness, newness."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.show.frames import Html, sentences
from fd2lib.show.statistics import interval, with_interval
from fd2lib.show.style import method_title
from fd2lib.show.tables import START_TITLES, html_table

TEACHER_TITLES = {"plain": "plain", "cal": "CAL"}
MAP_TITLES = {
    "class_activation": "class activation map",
    "channel_mean": "mean channel",
    "head_attention": "head's attention",
    "occlusion": "occlusion of the backbone's answer",
    "head_occlusion": "occlusion of the head's answer",
}
SPACE_TITLES = {"pixels": "pixels", "imagenet": "ImageNet features", "judge": "features of another teacher"}
# Quantity of a set -> its title, in the order of the tables.
QUANTITIES = {
    "diversity": "diversity (real = 1)",
    "distinctness": "distinctness",
    "similarity": "similarity of features",
    "attention_similarity": "similarity of attention",
    "newness": "newness (real = 1)",
    "copies": "copies, %",
}
_SET = ["scale", "dataset", "classes", "image_size", "backbone"]


def load_measured(rows: str | Path | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return measured rows as a table, with what the tables here show of a set worked out.

    ``diversity`` is the difference of two images of one class over that of real images, ``distinctness`` the
    difference of images of two classes over that of images of one class, ``newness`` the difference to the nearest
    training image over that between nearest training images.

    Args:
        rows: a CSV file that ``python -m fd2lib attention`` or ``geometry`` wrote, or rows of theirs; a file that is
            missing gives an empty table.
    """
    if isinstance(rows, str | Path):
        table = pd.read_csv(rows) if Path(rows).is_file() else pd.DataFrame(columns=[*_SET, "seed"])
    else:
        table = pd.DataFrame(list(rows))
    for name in {"classes", "judge"} & set(table):
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    if "within" in table:
        for name in ("attention_similarity", "real_attention_similarity"):
            table[name] = pd.to_numeric(table[name])  # empty where the space has no attention
        table["diversity"] = table["within"] / table["real_within"]
        table["distinctness"] = table["ratio"]
        table["newness"] = table["nearest"] / table["real_nearest"]
    return table


def group_title(key: Sequence[Any], seeds: int) -> str:
    """Return in words what rows of one scale and set have in common."""
    scale, dataset, classes, size, backbone = key
    chosen = f", classes {classes}" if str(classes) else ""
    return f"{scale} scale: {dataset}{chosen}, {size} px, {backbone}; {seeds} seed{'s' * (seeds != 1)}"


def by_set(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each scale and set of images, which no table or panel mixes, under a title."""
    return [(group_title(key, part["seed"].nunique()), part) for key, part in rows.groupby(_SET, sort=False)]


def _mean_of(values: Sequence[float], digits: int, signed: bool = False) -> str:
    return with_interval(*interval(values)[:3], signed=signed, digits=digits)


def mass_table(rows: pd.DataFrame) -> Html:
    """Return how much of each kind of map lies on the parts: mean over seeds with its 95 % t-interval, and n."""
    parts = []
    for title, part in by_set(rows):
        found = []
        for (teacher, kind), group in part.groupby(["teacher", "map"], sort=False):
            found.append({
                "teacher": TEACHER_TITLES[teacher], "map": MAP_TITLES[kind],
                "mass": _mean_of(group["mass"], 1), "above": _mean_of(group["mass"] - group["chance"], 1, signed=True),
                "own": _mean_of(group["mass"] - group["average_map"], 1, signed=True), "n": len(group),
            })  # fmt: skip
        first = part.iloc[0]
        caption = (
            f"{title}. Masks: {first['masks']}. Chance {part['chance'].mean():.1f} %, "
            f"centre prior {part['centre'].mean():.1f} %."
        )
        titles = {"mass": "on the parts, %", "above": "minus chance", "own": "minus the average map", "n": "n (seeds)"}
        parts.append(html_table(pd.DataFrame(found), caption, titles))
    return Html("<br>".join(parts)) if parts else sentences("There is no such row.")


def geometry_table(rows: pd.DataFrame, space: str = "judge") -> Html:
    """Return what sets of images are like in one space: mean over seeds with its 95 % t-interval, and n.

    Args:
        rows: as :func:`load_measured` returns them.
        space: ``pixels``, ``imagenet`` or ``judge``.
    """
    parts = []
    for title, part in by_set(rows[rows["space"] == space] if "space" in rows else rows):
        shown = {name: text for name, text in QUANTITIES.items() if part[name].notna().any()}
        keys = ["start", "method", "images", "ipc"]
        found = [_real_row(part, shown)]
        # Whole images before optimisation are the control's.
        made = part[(part["images"] == "distilled") | (part["start"] != "whole")]
        for (start, method, images, ipc), group in made.groupby(keys, sort=False):
            own = method_title(method) + (", before optimisation" if images == "start" else "")
            numbers = {name: _mean_of(group[name], 3) for name in shown if name != "copies"}
            numbers |= {"copies": f"{group['copies'].mean():.1f}"}  # a bounded share: its t-interval would leave it
            found.append(
                {"set": own, "start": START_TITLES.get(start, start), **numbers, "ipc": str(ipc), "n": len(group)}
            )
        table = pd.DataFrame(found)
        judges = ", ".join(dict.fromkeys(part["judge"])) if space != "pixels" else ""
        caption = (
            f"{title}. In {SPACE_TITLES[space]}{f' ({judges})' if judges and part['seed'].nunique() == 1 else ''}."
        )
        parts.append(html_table(table, caption, {**shown, "set": "images", "ipc": "per class", "n": "n (seeds)"}))
    return Html("<br>".join(parts)) if parts else sentences("There is no such row.")


def _real_row(part: pd.DataFrame, shown: Mapping[str, str]) -> dict[str, Any]:
    """What all training images are like: the reference that the sets are read against."""
    once = part.drop_duplicates("seed")
    known = {
        "distinctness": "real_ratio",
        "similarity": "real_similarity",
        "attention_similarity": "real_attention_similarity",
    }
    numbers = {name: f"{once[known[name]].mean():.3f}" if name in known else "1" for name in shown}
    numbers |= {name: "5.0" for name in shown if name == "copies"}
    return {"set": "all training images", "start": "", **numbers, "ipc": "all", "n": len(once)}


def field_sentences(rows: pd.DataFrame) -> list[str]:
    """Return for each scale and set how much of the image a cell of the teachers' last feature map sees."""
    return [
        f"{title}. A cell of the last feature map ({part['map_size'].iloc[0]}) sees an area whose width is "
        f"{part['cell_spread'].mean():.0f} % of the whole image's, and its centre lies on average "
        f"{part['cell_offset'].mean():.0f} % of the side away from the cell's place."
        for title, part in by_set(rows)
    ]
