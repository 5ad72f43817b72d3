"""Plots of many runs: means with intervals, and paired differences around zero."""

from collections.abc import Sequence

import pandas as pd

from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import wrap
from fd2lib.show.statistics import DECIDED, pair_titles
from fd2lib.show.style import INK, MUTED, SMALL, BookFigure, method_style, method_title, new_figure
from fd2lib.show.tables import START_TITLES

_WORDS = {"ipc": "{} per class", "image_size": "{} px", "scale": "{} scale", "classes": "classes {}"}


def group_labels(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return one short label for each row, made of those of ``columns`` that vary over the table."""
    varying = [name for name in columns if name in table and table[name].nunique() > 1] or ["ipc"]
    parts = pd.DataFrame({name: [_word(name, value) for value in table[name]] for name in varying}, index=table.index)
    return parts.apply(lambda row: ", ".join(text for text in row if text), axis=1)


def _word(column: str, value: object) -> str:
    if column == "start":
        return START_TITLES.get(str(value), str(value))
    return _WORDS.get(column, "{}").format(value) if str(value) else ""


def dot_plot(summary: pd.DataFrame, panels: Sequence[str], columns: Sequence[str]) -> BookFigure | Html:
    """Return means with their 95 % intervals: one panel for what must not be compared, one line for each setting.

    A dot without a line is a single seed. Colours and markers are the methods'.

    Args:
        summary: as :func:`fd2lib.show.summarise` returns it.
        panels: columns whose combinations get a panel each, such as scale and data set.
        columns: the columns that make a setting within a panel.
    """
    if summary.empty:
        return sentences("There is no such row.")
    parts = [(key, part) for key, part in summary.groupby(list(panels), sort=False)]
    settings = [list(dict.fromkeys(group_labels(part, columns))) for _, part in parts]
    methods = list(dict.fromkeys(summary["method"]))
    step = 0.22 + 0.13 * len(methods)  # inches a setting
    heights = [0.55 + step * len(names) for names in settings]
    figure = new_figure(min(sum(heights) + 0.9, 24), rows=len(parts), height_ratios=heights)
    for axes, (key, part), names in zip(figure.axes, parts, settings, strict=True):
        labels = group_labels(part, columns)
        for place, method in enumerate(methods):
            rows = part[part["method"] == method]
            shift = (place - (len(methods) - 1) / 2) * 0.7 / len(methods)
            y = [names.index(label) + shift for label in labels[rows.index]]
            style = method_style(method)
            axes.hlines(
                y, *(rows[end].fillna(rows["mean"]) for end in ("low", "high")), color=style["color"], linewidth=2
            )
            axes.plot(rows["mean"], y, linestyle="none", markersize=6.5, label=method_title(method), **style)
        for line in range(1, len(names)):
            axes.axhline(line - 0.5, color="#e6eaed", linewidth=0.8)
        axes.grid(False, axis="y")
        axes.set_yticks(range(len(names)), [wrap(name, 24) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(left=max(0, axes.get_xlim()[0]), right=min(100, axes.get_xlim()[1]))
        words = [_word(name, value) for name, value in zip(panels, key, strict=True)]
        axes.set_title(wrap(", ".join(word for word in words if word), 42), loc="left")
    figure.axes[-1].set_xlabel("test accuracy, % (top-1, last epoch)")
    entries = figure.axes[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside upper left", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def difference_plot(differences: pd.DataFrame, columns: Sequence[str]) -> BookFigure | Html:
    """Return paired differences with their 95 % intervals around zero; filled where the interval excludes zero.

    Args:
        differences: as :func:`fd2lib.show.paired_difference` returns it; several comparisons may be stacked.
        columns: the columns that make a setting.
    """
    if differences.empty:
        return sentences("No seed was run with both.")
    table = differences.reset_index(drop=True)
    setting = group_labels(table, columns)
    pairs = pair_titles(table)
    kinds = list(dict.fromkeys(pairs))
    figure = new_figure(min(1.1 + 0.4 * len(table) + 0.3 * len(kinds), 16), rows=len(kinds), sharex=True,
                        height_ratios=[max(1, pairs.count(kind)) + 0.5 for kind in kinds])  # fmt: skip
    for axes, kind in zip(figure.axes, kinds, strict=True):
        rows = table[[pair == kind for pair in pairs]]
        colour = method_style(rows["a"].iloc[0])["color"]
        axes.axvline(0, color=INK, linewidth=1)
        for place, (_, row) in enumerate(rows.iterrows()):
            if row["low"] == row["low"]:
                axes.hlines(place, row["low"], row["high"], color=colour, linewidth=2)
            decided = row["verdict"] in DECIDED
            axes.plot(
                row["mean"], place, "o", color=colour, markersize=7, markerfacecolor=colour if decided else "white"
            )
            axes.annotate(f"n {row['n']}", (1.0, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                          textcoords="offset points", color=MUTED, size=SMALL, va="center")  # fmt: skip
        axes.grid(False, axis="y")
        axes.set_yticks(range(len(rows)), [wrap(label, 24) for label in setting[rows.index]])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_title(kind, loc="left")
    figure.axes[-1].set_xlabel("difference in test accuracy, percentage points")
    return figure
