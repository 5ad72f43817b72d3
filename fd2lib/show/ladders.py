"""What fine classes are, in pictures, and how a gain changes with grain: a figure and tables."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fd2lib.analyse import BAND, NOT_MEASURED, Interval, Ladder, gains, parts, records
from fd2lib.data.plumage import draw_class, draw_scene
from fd2lib.show.contrasts import NOT_ALL, probability
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import image_grid, wrap
from fd2lib.show.html_tables import html_table, interval_column
from fd2lib.show.style import INK, RIGHT, SMALL, WRONG, BookFigure, add_legend, new_figure
from fd2lib.show.titles import COLUMNS, SIGNED

LOOKS = ((WRONG, "^", -0.08), (RIGHT, "o", 0.08), (INK, "s", 0.0))  # of contrasts: colour, marker, place beside a set


def grain_pictures(grains: Sequence[str], titles: Sequence[str], size: int = 128, scene: int = 22) -> BookFigure:
    """Return the first four classes of drawn sets, a row for each of ``grains``, all in one scene.

    What differs within a row is all that tells its classes apart.
    """
    where = draw_scene(0, "train", scene)
    drawn = [[draw_class(where, k, 8, size, grain).image.transpose(2, 0, 1) for k in range(4)] for grain in grains]
    return image_grid([np.stack(row) for row in drawn], titles)


def gains_figure(ladders: Sequence[Ladder]) -> BookFigure | Html:
    """Return the gains on the sets of each ladder with their 95 % intervals, a panel for each ladder that has rows.

    Around zero lies the band of differences that are no help. Panels have axes of their own, as scales are not mixed.
    """
    tables = {ladder.title: gains(ladder) for ladder in ladders}
    panels = {title: table for title, table in tables.items() if table["n"].any()}
    if not panels:
        return sentences(*(f"{title}: {NOT_MEASURED}." for title in tables))
    widths = [table["set"].nunique() + 1 for table in panels.values()]
    figure = new_figure(3.6, columns=len(panels), width_ratios=widths)
    for axes, (title, table) in zip(figure.axes, panels.items(), strict=True):
        axes.axhline(0, color=INK, linewidth=1.2)
        axes.axhspan(-BAND, BAND, color="#e6eaed", alpha=0.6, zorder=0, label=f"±{BAND:g} points")
        names = list(dict.fromkeys(table["set"]))
        for (key, own), (color, marker, shift) in zip(parts(table, ["contrast"]), LOOKS, strict=False):
            at, means = [names.index(name) + shift for name in own["set"]], own["mean"]
            axes.vlines(at, own["low"], own["high"], color=color, linewidth=2)
            axes.plot(at, means, marker, color=color, markersize=7, linestyle="-", linewidth=0.8, label=key["contrast"])
        counts = dict(zip(table["set"], table["n"], strict=True))
        told = [f"{wrap(name, 9)}\n{f'n {counts[name]}' if counts[name] else NOT_MEASURED}" for name in names]
        axes.set_xticks(range(len(names)), told, size=SMALL)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.grid(False, axis="x")
        axes.set_title(wrap(title, 11 * len(names)), loc="left")
    figure.axes[0].set_ylabel("gain, percentage points")
    add_legend(figure, columns=1)
    return figure


def gains_table(ladder: Ladder) -> Html:
    """Return the gains on each set at each IPC, and over all of them, beside what the first reference reaches."""
    by_ipc = {str(ipc): dataclasses.replace(ladder, ipcs=[ipc]) for ipc in ladder.ipcs} | {"mean": ladder}
    tables = {ipc: gains(one) for ipc, one in by_ipc.items()}
    lines = []
    for results, (ipc, table) in itertools.product(ladder.sets, tables.items()):
        own = table[table["set"] == results.title]
        base = results.accuracy(ladder.contrasts[0].reference, int(ipc)) if ipc != "mean" else ""
        values = {row["contrast"]: Interval.of(row) for row in records(own)}
        lines.append(
            {"set": results.title, "ipc": ipc, "base": base, **values, "n": str(own["n"].iloc[0] or NOT_MEASURED)}
        )
    titles = {"set": "", "ipc": "images per class", "n": "n (paired seeds)", "base": "base, top-1, %"}
    titles |= {one.title: f"{one.title}, points" for one in ladder.contrasts}
    return html_table(pd.DataFrame(lines), ladder.title, titles, signed=[one.title for one in ladder.contrasts])


def trends_table(trends: pd.DataFrame, caption: str = "") -> Html:
    """Return :func:`fd2lib.analyse.trends` as a table."""
    lines = trends.assign(
        mean=interval_column(trends),
        p=[probability(value) for value in trends["p"]],
        adjusted=[probability(value) for value in trends["adjusted"].where(trends["n"] > 0)],
        trend=_said(trends),
    )
    return html_table(lines[list(COLUMNS["trends"])], caption, COLUMNS["trends"], signed=SIGNED["trends"])


def _said(trends: pd.DataFrame) -> list[str]:
    """Trends in words, and whether seeds are missing of those that were measured at all."""
    return [
        row["trend"] if row["complete"] or not row["n"] else f"{row['trend']}; {NOT_ALL}" for row in records(trends)
    ]
