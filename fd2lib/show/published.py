"""The paper's table with what was measured here beside it."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.analyse import NOT_MEASURED, Interval, parts, records
from fd2lib.analyse.paper import BESIDE, PAPER_SCALE
from fd2lib.data import list_datasets
from fd2lib.show.frames import Html, folded, sentences
from fd2lib.show.html_tables import html_table
from fd2lib.show.titles import REMARKS, place_title, word

_MARK = "†"


def paper_table(beside: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.beside_paper` as one table for each data set, those without anything of ours folded.

    A line is a method at a number of images per class. Each network of the paper has two columns, the paper's and ours
    of the same scale; students of other scales or networks have columns of their own: what these have in common stands
    above, what differs in their titles. A cell of ours is a mean with its 95 % interval and n. Remarks on numbers of
    the paper stand below.
    """
    made = []
    for key, part in parts(beside, ["dataset"]):
        known = list_datasets().get(key["dataset"])
        title = known.title if known else str(key["dataset"])
        lines, others = _lines(part)
        caption = "; ".join(filter(None, [f"{title}: test accuracy, %, in the paper (single values) and here", others]))
        table = html_table(lines, caption, {name: name for name in lines.columns[2:]})
        made.append(table if part["n"].any() else folded(f"{title}: nothing measured here", table))
    remarks = [name for name in beside["remark"].unique() if name]
    made += [sentences(f"{_MARK} {REMARKS[name]}") for name in remarks]
    return Html("".join(made))


def _lines(part: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return a line for each IPC and method, in their order, and what all students of other scales have in common."""
    networks = part.loc[part["paper"].notna(), "student"].unique()
    keys = [key for key, _ in parts(part[part["n"] > 0], ["scale", "dataset", "student", *BESIDE])]
    others = [key for key in keys if key["scale"] != PAPER_SCALE or key["student"] not in networks]
    titles, common = _titles(others)
    lines = []
    for cell, rows in parts(part, ["ipc", "method"]):
        line = {"ipc": cell["ipc"], "method": word("method", cell["method"])}
        for network in networks:
            same = [row for row in records(rows) if row["student"] == network and row["scale"] == PAPER_SCALE]
            line[f"{network}, paper"] = _published(same[0]) if same else "–"
            line[f"{network}, ours"] = "; ".join(map(_ours, same)) or NOT_MEASURED
        for key, title in zip(others, titles, strict=True):
            same = [row for row in records(rows) if key.items() <= row.items()]
            line[title] = _ours(same[0]) if same else NOT_MEASURED
        lines.append(line)
    return pd.DataFrame(lines), common


def _titles(keys: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """Return a title for each column of ours, of what differs among them, and what they have in common."""
    told = [
        (place_title(key), key["student"], f"{key['student_init']} weights", f"start {word('start', key['start'])}")
        for key in keys
    ]
    varies = [len(set(words)) > 1 for words in zip(*told, strict=True)]
    titles = [
        ", ".join(["ours", f"{key['scale']} scale", *itertools.compress(words, varies)])
        for key, words in zip(keys, told, strict=True)
    ]
    several = Counter(titles)
    titles = [
        f"{title}, images {key['images_fingerprint'][:8]}" if several[title] > 1 else title
        for key, title in zip(keys, titles, strict=True)
    ]
    common = [one for one, differs in zip(told[0], varies, strict=True) if not differs] if told else []
    return titles, f"ours of another scale or network: {', '.join(common)}" if common else ""


def _published(row: Mapping[str, Any]) -> str:
    number = "–" if row["paper"] != row["paper"] else f"{row['paper']:.1f}"
    return f"{number} {_MARK}" if row["remark"] else number


def _ours(row: Mapping[str, Any]) -> str:
    return f"{Interval.of(row).text()}, n {row['n']}" if row["n"] else NOT_MEASURED
