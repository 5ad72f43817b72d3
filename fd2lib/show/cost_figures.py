"""Figures of what a distilled set costs: where the work goes, and what a byte buys."""

import pandas as pd

from fd2lib.show.costs import COMPARED, KIB, PLACE, STAGES, WHOLE, costs, plain_teachers
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import wrap
from fd2lib.show.style import INK, MUTED, SMALL, BookFigure, method_style, method_title, new_figure

# Apart by lightness as well, for readers who see no colour.
_STAGE_COLOURS = dict(zip(STAGES, ("#08306b", "#d55e00", "#f0b429", "#a6d3ea"), strict=True))


def stages_figure(rows: pd.DataFrame) -> BookFigure | Html:
    """Return the images passed through networks by each stage as stacked bars, one panel for each set of images.

    Args:
        rows: as :func:`fd2lib.show.cost_rows` returns them.
    """
    table = costs(rows, "images")
    table = table[table[[f"{stage}_images" for stage in STAGES]].notna().all(axis=1)]
    if table.empty:
        return sentences("No row says how many images passed through networks.")
    parts = list(table.groupby(PLACE, sort=False))
    heights = [0.75 + 0.3 * len(part) for _, part in parts]
    figure = new_figure(min(sum(heights) + 0.8, 24), rows=len(parts), height_ratios=heights)
    for axes, (place, part) in zip(figure.axes, parts, strict=True):
        left = pd.Series(0.0, index=range(len(part)))
        for stage in STAGES:
            width = part[f"{stage}_images"].reset_index(drop=True) / 1000
            axes.barh(left.index, width, left=left, height=0.66, color=_STAGE_COLOURS[stage], label=stage)
            left += width
        axes.set_yticks(left.index, [_bar_name(row, part) for _, row in part.iterrows()], size=SMALL)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set_title(wrap(_place_words(place), 42), loc="left")
    figure.axes[-1].set_xlabel("thousand images through networks")
    entries = figure.axes[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside upper left", ncols=4, frameon=False, fontsize=SMALL,
                  columnspacing=1, handlelength=1.2)  # fmt: skip
    return figure


def bytes_figure(rows: pd.DataFrame, table: pd.DataFrame) -> BookFigure | Html:
    """Return accuracy over the bytes that a set takes per class, one panel for each set of images and student.

    Sets of one method are joined by a line. Dashed, the plain teacher, itself trained on the whole set.

    Args:
        rows: as :func:`fd2lib.show.cost_rows` returns them.
        table: :func:`fd2lib.show.stored_bytes` of them.
    """
    table = table[table["total"] > 0]
    if table.empty:
        return sentences("There is no such row.")
    parts = list(table.groupby(COMPARED, sort=False))
    figure = new_figure(1.1 + 2.9 * len(parts), rows=len(parts))
    for axes, (key, part) in zip(figure.axes, parts, strict=True):
        for method, sets in part.groupby("method", sort=False):
            sets, style = sets.sort_values("total"), method_style(method)
            axes.plot(sets["total"], sets["mean"], markersize=7, linewidth=1.2, label=method_title(method), **style)
            known = sets[sets["low"].notna()]
            axes.vlines(known["total"], known["low"], known["high"], color=style["color"], linewidth=1.6)
        same = rows[(rows[COMPARED] == list(key)).all(axis=1)]
        plain = plain_teachers(same)["teacher_top1"].mean()
        if plain == plain:
            axes.axhline(plain, color=MUTED, linestyle="--", linewidth=1)
            axes.annotate("plain teacher", (0.01, plain), xycoords=axes.get_yaxis_transform(), xytext=(0, 3),
                          textcoords="offset points", color=INK, size=SMALL)  # fmt: skip
        _byte_axis(axes, part["total"])
        axes.margins(y=0.12)
        axes.set_title(wrap(_place_words(key[: len(PLACE)]), 42), loc="left")
        axes.set_ylabel("test accuracy, %")
    figure.axes[-1].set_xlabel("images and labels, KiB per class")
    entries = {}
    for axes in figure.axes:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper left", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def _byte_axis(axes, totals: pd.Series) -> None:
    """A logarithmic axis with numbers that a person reads: 1, 2, 5, 10 …"""
    axes.set_xscale("log")
    low, high = totals.min() / 1.4, totals.max() * 1.4
    marks = [digit * 10.0**power for power in range(-3, 8) for digit in (1, 2, 5)]
    shown = [mark for mark in marks if low <= mark <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(shown, [f"{mark:g}" if mark < KIB else f"{mark:,.0f}" for mark in shown])
    axes.minorticks_off()


def _bar_name(row: pd.Series, part: pd.DataFrame) -> str:
    """The method, and its images per class where they vary."""
    several = part.loc[part["method"] != WHOLE, "ipc"].nunique() > 1
    return method_title(row["method"]) + (f", {row['ipc']}" if several and row["ipc"] else "")


def _place_words(place: tuple) -> str:
    scale, dataset, classes, size = place
    return f"{scale} scale, {dataset}{f' ({classes})' if classes else ''}, {size} px"
