"""What columns, values and places are called on pages: the one list of words for tables and figures."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import pandas as pd

from fd2lib.analyse import PLACE, parts, records
from fd2lib.ground import list_methods

_DECLARED = tomllib.loads(resources.files("fd2lib.show").joinpath("titles.toml").read_text(encoding="utf-8"))
TITLES: dict[str, str] = _DECLARED["columns"]
VALUES: dict[str, dict[str, str]] = _DECLARED["values"]  # of columns; others are their own title
COLUMNS: dict[str, dict[str, str]] = _DECLARED["tables"]  # kind of table -> its columns of numbers, in order
SIGNED: dict[str, list[str]] = _DECLARED["signed"]  # kind of table -> its columns of intervals that get a sign
CAPTIONS: dict[str, str] = _DECLARED["captions"]  # of kinds of tables, and of measures of cost
REMARKS: dict[str, str] = _DECLARED["remarks"]  # of numbers of the paper
# What differences are taken of: kinds of map, of which the last compares each network's own answer, and quantities.
VALUES["what"] = VALUES["map"] | VALUES["quantity"]
VALUES["what"]["head_occlusion"] += " (plain: backbone's)"


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
    return f"{ipc} image{'s' * (ipc != 1)} per class" if ipc else "whole training set"


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
    groups, titles = parts(table, by), []
    for key, _ in groups:
        others = {name: value for name, value in key.items() if name not in PLACE}
        more = [f"{value} weights" if name.endswith("init") else str(value) for name, value in others.items()]
        titles.append(", ".join(filter(None, [place_title(key), *more])))
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
