"""Plots of studies: every arm's mean, interval and seeds, and the factorial's cells."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.show.factorial import FACTORS, with_factors
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import wrap
from fd2lib.show.statistics import DECIDED, summarise
from fd2lib.show.studies import StudyResults, arm_differences, by_arm, per_class
from fd2lib.show.style import INK, MUTED, OTHER, RIGHT, SMALL, WRONG, BookFigure, new_figure


def study_plot(*studies: StudyResults) -> BookFigure | Html:
    """Return every arm's mean with its 95 % interval and its seeds, a panel for each study and IPC.

    The line is the reference's mean. A mark is filled where the arm's paired difference from the reference, not its
    own interval, excludes zero.
    """
    panels = [(results, ipc) for results in studies for ipc in results.ipcs]
    if not panels:
        return sentences(*[f"{results.title}: not measured." for results in studies] or ["Nothing was measured."])
    titles = [wrap(_panel(results, ipc, named=len(studies) > 1), 36) for results, ipc in panels]
    counts = [results.rows["arm"].nunique() for results, _ in panels]
    height = 0.7 + 0.36 * sum(counts) + sum(0.15 + 0.2 * len(title.splitlines()) for title in titles)
    figure = new_figure(min(height, 24), rows=len(panels), sharex=True, height_ratios=counts)
    for axes, (results, ipc), title in zip(figure.axes, panels, titles, strict=True):
        arms = [arm for arm in results.titles if arm in set(results.rows["arm"])]
        means = by_arm(summarise(results.rows, by=["ipc", "arm"]), ipc, "arm")
        gaps = by_arm(arm_differences(results), ipc, "a")
        if results.reference in means:
            axes.axvline(means[results.reference]["mean"], color=INK, linewidth=1)
        for arm, mean in means.items():
            decided = gaps.get(arm, {}).get("verdict") in DECIDED
            colour = MUTED if arm == results.reference else RIGHT
            _draw_mean(axes, arms.index(arm), mean, results.accuracies(arm, ipc), colour, decided)
        _label_rows(axes, [results.titles[arm] for arm in arms], title)
    _finish(figure, studies)
    return figure


def factorial_plot(results: StudyResults) -> BookFigure | Html:
    """Return every cell's mean with its 95 % interval and seeds: colours are the labels, panels the IPC."""
    if results.rows.empty:
        return sentences(f"{results.title}: not measured.")
    rows, means = with_factors(results), summarise(results.rows, by=["ipc", "arm"])
    made = [key for key in itertools.product(FACTORS["teacher"], FACTORS["constraints"])
            if ((rows["teacher"] == key[0]) & (rows["constraints"] == key[1])).any()]  # fmt: skip
    names = [",\n".join(FACTORS[name][level] for name, level in zip(FACTORS, key, strict=False)) for key in made]
    figure = new_figure(1.0 + len(results.ipcs) * (0.4 + 0.6 * len(made)), rows=len(results.ipcs), sharex=True)
    looks = {"plain": (RIGHT, "o", -0.26), "crops": (OTHER, "s", 0.0), "cal": (WRONG, "^", 0.26)}
    for axes, ipc in zip(figure.axes, results.ipcs, strict=True):
        for row in means[means["ipc"] == ipc].to_dict("records"):
            teacher, constraints, labels = row["arm"].split("_")
            colour, marker, shift = looks[labels]
            seeds, place = results.accuracies(row["arm"], ipc), made.index((teacher, constraints)) + shift
            _draw_mean(axes, place, row, seeds, colour, True, marker, FACTORS["labels"][labels])
        _label_rows(axes, names, _panel(results, ipc))
    _finish(figure, [results])
    handles = dict(zip(*reversed(figure.axes[0].get_legend_handles_labels()), strict=True))
    known = [title for title in FACTORS["labels"].values() if title in handles]
    figure.legend([handles[title] for title in known], known, loc="outside upper left", ncols=3, frameon=False)
    return figure


def _panel(results: StudyResults, ipc: int, named: bool = False) -> str:
    title = f"{results.title.rstrip('?')}\n" if named else ""
    return f"{title}{results.scale} scale, {per_class(ipc)}"


def _draw_mean(
    axes: Any,
    place: float,
    row: Mapping[str, Any],
    seeds: Iterable[float],
    colour: str,
    filled: bool,
    marker: str = "o",
    label: str = "",
) -> None:
    """Draw one mean with its interval and the seeds behind it at height ``place``."""
    if row["low"] == row["low"]:
        axes.hlines(place, row["low"], row["high"], color=colour, linewidth=2)
    values = list(seeds)
    axes.plot(values, [place] * len(values), "|", color=colour, markersize=9, alpha=0.6)
    face = colour if filled else "white"
    axes.plot(row["mean"], place, marker, color=colour, markersize=7, markerfacecolor=face, label=label, linestyle="")


def _label_rows(axes: Any, names: Sequence[str], title: str) -> None:
    """Name the rows of one panel, the first on top."""
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(names)), [wrap(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_title(title, loc="left")


def _finish(figure: BookFigure, studies: Iterable[StudyResults]) -> None:
    """Name the axis of accuracies and fit it to the seeds and to intervals of three seeds and more.

    That of two seeds is some thirteen times as wide as their distance: it runs past the edge.
    """
    rows = [results.rows.assign(study=results.title) for results in studies]
    means = summarise(pd.concat(rows), by=["study", "ipc", "arm"])
    ends = means.loc[means["n"] > 2, ["low", "high"]].to_numpy().ravel()
    shown = [*ends, *(value for part in rows for value in part["last_top1"])]
    margin = 0.05 * (max(shown) - min(shown)) + 1
    for axes in figure.axes:
        axes.set_xlim(max(0, min(shown) - margin), min(100, max(shown) + margin))
        axes.tick_params(axis="y", labelsize=SMALL)
    figure.axes[-1].set_xlabel("test accuracy, % (top-1, last epoch)")
