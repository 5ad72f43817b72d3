"""Planned contrasts and their verdicts: a table, a figure with the band, and the verdicts in words."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fd2lib.analyse import Interval, records, verdict_words
from fd2lib.show.dots import PAIRED, Mark, band_figure
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import wrap
from fd2lib.show.style import MUTED, RIGHT, WRONG, BookFigure
from fd2lib.show.tables import html_table
from fd2lib.show.titles import COLUMNS, SIGNED, per_class, titled

NOTE_WIDTH = 16  # letters
NOT_ALL = "not all seeds were run"
_COLORS = {"better": RIGHT, "worse": WRONG}


def verdict_table(verdicts: pd.DataFrame, question: str = "") -> Html:
    """Return :func:`fd2lib.analyse.verdicts` as one table for each set of images; ``question`` begins its caption."""
    made = []
    for title, part in titled(verdicts):
        lines = part.assign(
            mean=pd.Series([Interval.of(row) for row in records(part)], part.index, dtype=object),
            p=[_probability(value) for value in part["p"]],
            adjusted=[_probability(value) for value in part["adjusted"]],
            verdict=_said(part),
        )
        caption = "; ".join(filter(None, [question.rstrip("?"), title, *_lacking(part)]))
        made.append(
            html_table(lines[list(COLUMNS["verdicts"])], caption, COLUMNS["verdicts"], signed=SIGNED["verdicts"])
        )
    return Html("<br>".join(made or [sentences("No contrast was planned.")]))


def verdict_plot(verdicts: pd.DataFrame) -> BookFigure | Html:
    """Return the effects of :func:`fd2lib.analyse.verdicts` with their 95 % intervals, around zero and the band.

    A panel holds a set of images and an IPC; a mark is filled where the verdict, after correction, is better or worse.
    """
    marks, places = list[Mark](), titled(verdicts)
    for title, part in places:
        for words, row in zip(_said(part), records(part), strict=True):
            panel = ", ".join(filter(None, [title if len(places) > 1 else "", per_class(row["ipc"])]))
            if row["n"]:
                color = _COLORS.get(row["verdict"], MUTED)
                note = f"{wrap(words, NOTE_WIDTH)}\nn {row['n']}"
                filled = row["verdict"] in _COLORS
                marks.append(Mark(panel, row["contrast"], Interval.of(row), color, filled=filled, note=note))
    return band_figure(marks, PAIRED)


def verdict_text(verdicts: pd.DataFrame) -> str:
    """Return the verdicts as sentences, which say in words what :func:`verdict_plot` draws: its alternative text."""
    lines = []
    for title, part in titled(verdicts):
        told = [
            f"{row['contrast']}, {per_class(row['ipc'])}: {Interval.of(row).text(signed=True)} points, "
            f"n {row['n']}, {words}"
            for words, row in zip(_said(part), records(part), strict=True)
        ]
        lines.append(f"{'. '.join([title, *_lacking(part)])}. {'; '.join(told)}.".removeprefix(". "))
    return " ".join(lines)


def _said(verdicts: pd.DataFrame) -> list[str]:
    return [verdict_words(row["verdict"], row["equivalent"]) for row in records(verdicts)]


def _lacking(verdicts: pd.DataFrame) -> Sequence[str]:
    return [] if verdicts["complete"].all() else [NOT_ALL]


def _probability(value: Any) -> str:
    """Return a p as a person writes it: three digits, and no smaller than they tell."""
    if value != value:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
