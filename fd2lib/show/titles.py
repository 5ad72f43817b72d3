"""What columns, values and places are called on pages: the one list of words for tables and figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.analyse import PLACE, parts, records
from fd2lib.ground import list_methods

TITLES = {
    "image_size": "image size",
    "teacher_backbones": "teacher",
    "teacher_init": "teacher starts from",
    "teacher_kind": "teacher",
    "student_init": "student starts from",
    "ipc": "images per class",
    "variant": "differing settings",
    "difference": "",
    "over": "averaged over settings",
    "init": "starts from",
    "judge": "seen by",
    "what": "",
}
VALUES: dict[str, dict[str, str]] = {
    "start": {
        "pool1": "one crop",
        "pool2": "2×2 mosaic",
        "whole": "whole image",
        "noise": "noise",
        "all": "all images",
    },
    "teacher_kind": {"cal": "CAL"},
    "map": {
        "class_activation": "class activation map",
        "channel_mean": "mean channel",
        "head_attention": "head's attention",
        "occlusion": "occlusion of the backbone's answer",
        "head_occlusion": "occlusion of the head's answer",
    },
    "space": {"imagenet": "ImageNet features", "judge": "features of another teacher"},
    "quantity": {
        "diversity": "diversity (real = 1)",
        "similarity": "similarity of features",
        "attention_similarity": "similarity of attention",
        "newness": "newness (real = 1)",
        "copies": "copies, %",
    },
}
# What differences are taken of: kinds of map, of which the last compares each network's own answer, and quantities.
VALUES["what"] = VALUES["map"] | VALUES["quantity"]
VALUES["what"]["head_occlusion"] += " (plain: backbone's)"
_TOP1, _SEEDS, _PAIRS = "top-1, % [95 % interval]", "n (seeds)", "n (paired seeds)"
# Kind of table -> its columns of numbers and what it calls them, in order.
COLUMNS: dict[str, dict[str, str]] = {
    "results": {"mean": _TOP1, "n": _SEEDS},
    "differences": {"mean": "mean difference [95 % interval]", "n": _PAIRS, "verdict": "verdict"},
    "study": {"arm": "", "mean": _TOP1, "gap": "minus the reference, points", "n": _SEEDS, "pairs": "paired seeds",
              "moved": "pixels moved, %"},
    "costs": {"pretrain": "pretrain", "distill": "distill", "relabel": "relabel", "evaluate": "evaluate",
              "n": "n (students)"},
    "timings": {"low": "fastest, s", "high": "slowest, s", "factor": "factor"},
    "bytes": {"images": "images, KiB per class", "labels": "labels, KiB per class", "ratio": "labels ÷ images",
              "mean": _TOP1, "n": _SEEDS},
    "break_even": {"once": "made once", "each": "each student", "whole": "each on the whole set",
                   "by_images": "pays off, by images", "by_seconds": "pays off, by seconds", "mean": "mean top-1, %",
                   "whole_mean": "whole set's, %"},
    "store": {"labels": "labels, KiB", "teachers": "teachers, KiB", "again_images": "again, thousand images",
              "again_seconds": "again, s", "pays": "pays off, by images"},
    "published": {"formula": "labels by formula, MiB", "release": "labels, the release, MiB",
                  "logit_bytes": "release, bytes per logit", "pixels": "images' pixels, MiB",
                  "teacher": "teacher, MiB"},
    "mass": {"mean": "on the parts, %", "above": "minus chance", "own": "minus the average map", "chance": "chance, %",
             "centre": "centre prior, %", "cell_spread": "a cell sees, % of the width",
             "cell_offset": "a cell is off by, % of the side", "n": _SEEDS},
    "geometry": {"set": "images", "begins": "start", "distinctness": "distinctness", **VALUES["quantity"],
                 "per_class": "per class", "n": _SEEDS},
    "students": {"last": "last epoch, % [95 % interval over test images]",
                 "best": "best epoch, % (selected on test images)"},
    "pairs": {"first_name": "class", "second_name": "and", "confused": "test images confused", "of": "of"},
}  # fmt: skip


def column_title(column: str) -> str:
    """Return what a column is called."""
    return TITLES.get(column, column.replace("_", " "))


def word(column: str, value: Any) -> str:
    """Return a column's value as a person writes it."""
    if column == "method":
        return method_title(str(value))
    if column == "ipc" and value == 0:
        return "all"
    return VALUES.get(column, {}).get(str(value), str(value))


def method_title(method: str) -> str:
    """Return a method's display name; a name that no recipe knows is its own title."""
    return list_methods().get(method, method)


def per_class(ipc: int) -> str:
    """Return an IPC in words; 0 is every image that there is."""
    if not ipc:
        return "whole training set"
    return f"{ipc} image{'s' * (ipc != 1)} per class"


def pair_titles(table: pd.DataFrame) -> list[str]:
    """Return ``A − B`` with display names for each row's methods ``a`` and ``b``."""
    return [f"{method_title(row['a'])} − {method_title(row['b'])}" for row in records(table)]


def place_title(place: Mapping[str, Any]) -> str:
    """Return scale, image set, classes and image size, as far as they are there, as one title."""
    name, registered = place.get("image_set", ""), place.get("dataset", "")
    words = [
        f"{place['scale']} scale" if place.get("scale") else "",
        f"{name} ({registered})" if name and registered and name != registered else name or registered,
        f"classes {place['classes']}" if place.get("classes") else "",
        f"{place['image_size']} px" if place.get("image_size") else "",
    ]
    return ", ".join(filter(None, words))


def titled(table: pd.DataFrame, by: Sequence[str] = PLACE) -> list[tuple[str, pd.DataFrame]]:
    """Return the groups of rows that no table or panel mixes, under titles that differ.

    Images that have one name but are not the same are told apart by the beginning of their fingerprint.
    """
    groups = parts(table, by)
    shapes = {"init": "{} weights", "student_init": "{} weights"}
    others = [
        {name: shapes.get(name, "{}").format(key[name]) for name in key if name not in PLACE} for key, _ in groups
    ]
    titles = [", ".join([place_title(key), *more.values()]) for (key, _), more in zip(groups, others, strict=True)]
    several = Counter(titles)
    marks = [str(key.get("images_fingerprint", ""))[:8] or "of unknown fingerprint" for key, _ in groups]
    return [
        (f"{title}, images {mark}" if several[title] > 1 else title, part)
        for title, mark, (_, part) in zip(titles, marks, groups, strict=True)
    ]


def group_labels(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return one short label for each row, made of those of ``columns`` that vary over the table."""
    varying = [name for name in columns if name in table and table[name].nunique() > 1] or ["ipc"]
    shapes = {"ipc": "{} per class", "image_size": "{} px", "scale": "{} scale", "classes": "classes {}"}
    told = [[(shapes.get(name, "{}"), word(name, row.get(name, ""))) for name in varying] for row in records(table)]
    return [", ".join(shape.format(text) for shape, text in one if text) for one in told]
