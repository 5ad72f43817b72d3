"""Means with their intervals, around whatever they are read against: one figure for results, studies and maps."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from fd2lib.analyse import BAND, DECIDED, FACTORS, MEASURED, SETTING, Interval, StudyResults, arm_differences, records
from fd2lib.analyse.factorial import with_factors
from fd2lib.analyse.learned import KINDS
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import wrap
from fd2lib.show.style import INK, MUTED, OTHER, RIGHT, SMALL, WRONG, BookFigure, add_legend, method_style, new_figure
from fd2lib.show.titles import VALUES, group_labels, method_title, pair_titles, per_class, place_title, titled, word

ACCURACY = "test accuracy, % (top-1, last epoch; not paired)"
PAIRED = "accuracy difference within a seed (paired), points"
TITLE_WIDTH, NAME_WIDTH = 60, 26  # letters; of a title, less those of the longest name


@dataclass(frozen=True)
class Mark:
    """One mean in a figure of dots."""

    panel: str  # title of the panel it stands in
    line: str  # name of its line there
    value: Interval
    color: str
    marker: str = "o"
    label: str = ""  # in the legend; empty for none
    shift: float = 0.0  # from the middle of its line, share of a line's height
    filled: bool = True  # hollow where not
    seeds: Sequence[float] = ()  # what the mean is of, drawn as strokes
    note: str = ""  # at the right edge


@dataclass(frozen=True)
class Rule:
    """A vertical line in a panel."""

    panel: str
    at: float
    style: str = "-"
    label: str = ""


def dots_figure(
    marks: Sequence[Mark], xlabel: str, rules: Sequence[Rule] = (), share: bool = False
) -> BookFigure | Html:
    """Return means with their 95 % intervals: a panel for what must not be compared, a line for each setting.

    A dot without a line is a single seed. Panels and lines come in the order of their first marks, the first on top;
    with ``share`` the panels share one horizontal axis.
    """
    if not marks:
        return sentences("There is no such row.")
    panels = list(dict.fromkeys(mark.panel for mark in marks))
    lines = {panel: list(dict.fromkeys(mark.line for mark in marks if mark.panel == panel)) for panel in panels}
    longest = max(len(line) for mark in marks for line in wrap(mark.line, NAME_WIDTH).splitlines())
    titles = [wrap(panel, TITLE_WIDTH - longest) for panel in panels]
    tallest = max(wrap(mark.line, NAME_WIDTH).count("\n") + 1 for mark in marks)
    step = max(0.23 + 0.13 * len({mark.shift for mark in marks}), 0.06 + 0.17 * tallest)  # inches a line
    heights = [
        0.3 + 0.2 * title.count("\n") + step * len(lines[panel]) for panel, title in zip(panels, titles, strict=True)
    ]
    figure = new_figure(min(sum(heights) + 0.9, 24), rows=len(panels), height_ratios=heights, sharex=share)
    for axes, panel, title in zip(figure.axes, panels, titles, strict=True):
        for rule in [rule for rule in rules if rule.panel == panel]:
            axes.axvline(rule.at, color=INK, linestyle=rule.style, linewidth=1.2, label=rule.label)
        for mark in [mark for mark in marks if mark.panel == panel]:
            _draw(axes, mark, lines[panel].index(mark.line) + mark.shift)
        for place in range(1, len(lines[panel])):
            axes.axhline(place - 0.5, color="#e6eaed", linewidth=0.8)
        axes.grid(False, axis="y")
        axes.set_yticks(range(len(lines[panel])), [wrap(name, NAME_WIDTH) for name in lines[panel]], size=SMALL)
        axes.set_ylim(len(lines[panel]) - 0.5, -0.5)
        axes.set_title(title, loc="left")
    figure.axes[-1].set_xlabel(xlabel)
    add_legend(figure)
    return figure


def _draw(axes: Axes, mark: Mark, y: float) -> None:
    """Draw one mean with its interval, and its seeds behind it."""
    mean, low, high, _ = mark.value
    if low == low:
        axes.hlines(y, low, high, color=mark.color, linewidth=2)
    if len(mark.seeds):
        axes.plot(mark.seeds, [y] * len(mark.seeds), "|", color=mark.color, markersize=9, alpha=0.6)
    face = mark.color if mark.filled else "white"
    axes.plot(
        mean, y, mark.marker, color=mark.color, markersize=7, markerfacecolor=face, label=mark.label, linestyle=""
    )
    if mark.note:
        axes.annotate(mark.note, (1.0, y), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", color=MUTED, size=SMALL, va="center")  # fmt: skip


def band_figure(marks: Sequence[Mark], xlabel: str) -> BookFigure | Html:
    """Return :func:`dots_figure` of differences around zero and the grey band of those too small to be a help."""
    rules = [
        Rule(panel, at, style, label)
        for panel in dict.fromkeys(mark.panel for mark in marks)
        for at, style, label in ((0, "-", ""), (-BAND, ":", ""), (BAND, ":", f"±{BAND:g} points"))
    ]
    figure = dots_figure(marks, xlabel, rules, share=True)
    for axes in figure.axes if isinstance(figure, BookFigure) else []:
        axes.axvspan(-BAND, BAND, color="#e6eaed", alpha=0.6, zorder=0)
    return figure


def beside(place: int, count: int) -> float:
    """Return how far the mark at a place among ``count`` on one line lies from its middle, as a share of its height."""
    return (place - (count - 1) / 2) * 0.7 / count


def dot_plot(summary: pd.DataFrame) -> BookFigure | Html:
    """Return :func:`fd2lib.analyse.summarise` as a figure; colours and markers are the methods'."""
    methods, marks = list(dict.fromkeys(summary["method"])), []
    for title, part in titled(summary):
        for label, row in zip(group_labels(part, SETTING), records(part), strict=True):
            shift = beside(methods.index(row["method"]), len(methods))
            name, style = method_title(row["method"]), method_style(row["method"])
            marks.append(Mark(title, label, Interval.of(row), *style, label=name, shift=shift))
    return dots_figure(marks, ACCURACY)


def difference_plot(differences: pd.DataFrame) -> BookFigure | Html:
    """Return paired differences, or effects, around zero; filled where the interval excludes zero."""
    marks, places = [], titled(differences.assign(line=group_labels(differences, SETTING)))
    for title, part in places:
        for pair, row in zip(pair_titles(part), records(part), strict=True):
            panel = f"{pair}\n{title}" if len(places) > 1 else pair
            color, decided = method_style(row["a"]).color, row["verdict"] in DECIDED
            marks.append(Mark(panel, row["line"], Interval.of(row), color, filled=decided, note=f"n {row['n']}"))
    rules = [Rule(panel, 0) for panel in dict.fromkeys(mark.panel for mark in marks)]
    return dots_figure(marks, PAIRED, rules, share=True)


def study_plot(*studies: StudyResults) -> BookFigure | Html:
    """Return every arm's mean with its 95 % interval and its seeds, a panel for each study and IPC.

    The line is the reference's mean. A mark is filled where the arm's paired difference from the reference, not its
    own interval, excludes zero. Scale and images that all panels share stand below the axis, once.
    """
    several = len(_places(studies)) > 1
    marks, rules = [], []
    for results in studies:
        gaps = {(row["ipc"], row["a"]): row["verdict"] for row in records(arm_differences(results))}
        for ipc, arm in itertools.product(results.ipcs, results.measured):
            panel = _panel(results, ipc, named=len(studies) > 1, placed=several)
            seeds = results.accuracies(arm, ipc).tolist()
            if seeds:
                mean, decided = results.accuracy(arm, ipc), gaps.get((ipc, arm)) in DECIDED
                color = MUTED if arm == results.reference else RIGHT
                marks.append(Mark(panel, results.titles[arm], mean, color, filled=decided, seeds=seeds))
                rules += [Rule(panel, mean.mean)] if arm == results.reference else []
    return _fitted(marks, rules, studies)


def factorial_plot(results: StudyResults) -> BookFigure | Html:
    """Return every cell's mean with its 95 % interval and seeds: colours are the labels, panels the IPC."""
    rows = with_factors(results)
    looks = {"plain": (RIGHT, "o", -0.26), "crops": (OTHER, "s", 0.0), "cal": (WRONG, "^", 0.26)}
    marks = []
    for ipc, *levels in itertools.product(results.ipcs, FACTORS["teacher"], FACTORS["constraints"], FACTORS["labels"]):
        arm = "_".join(levels)
        if arm in set(rows.loc[rows["ipc"] == ipc, "arm"]):
            line = ",\n".join(FACTORS[name][level] for name, level in zip(FACTORS, levels[:2], strict=False))
            at, seeds = (_panel(results, ipc), line), results.accuracies(arm, ipc).tolist()
            name, look = FACTORS["labels"][levels[2]], looks[levels[2]]
            marks.append(Mark(*at, results.accuracy(arm, ipc), *look[:2], label=name, shift=look[2], seeds=seeds))
    return _fitted(marks, [], [results])


def _panel(results: StudyResults, ipc: int, named: bool = False, placed: bool = False) -> str:
    title, place = results.title.rstrip("?") if named else "", _place(results) if placed else ""
    return "\n".join(filter(None, [title, ", ".join(filter(None, [place, per_class(ipc)]))]))


def _places(studies: Sequence[StudyResults]) -> list[str]:
    return list(dict.fromkeys(_place(results) for results in studies if len(results.rows)))


def _place(results: StudyResults) -> str:
    return place_title({name: results.place.get(name, "") for name in ("scale", "dataset", "image_set")})


def _fitted(marks: Sequence[Mark], rules: Sequence[Rule], studies: Sequence[StudyResults]) -> BookFigure | Html:
    """Fit the axis of accuracies to the seeds and to intervals of three seeds and more.

    That of two seeds is some thirteen times as wide as their distance: it runs past the edge.
    """
    if not marks:
        return sentences(*[f"{results.title}: not measured." for results in studies] or ["Nothing was measured."])
    shared = places if len(places := _places(studies)) == 1 else []
    figure = dots_figure(marks, "\n".join([ACCURACY, *shared]), rules, share=True)
    ends = [end for mark in marks if mark.value.n > 2 for end in (mark.value.low, mark.value.high)]
    shown = [*ends, *(seed for mark in marks for seed in mark.seeds)]
    margin = 0.05 * (max(shown) - min(shown)) + 1
    if isinstance(figure, BookFigure):
        figure.axes[0].set_xlim(max(0, min(shown) - margin), min(100, max(shown) + margin))
    return figure


def mass_figure(summary: pd.DataFrame) -> BookFigure | Html:
    """Return :func:`fd2lib.analyse.mass_summary` as a figure: the mass of each kind of map on the parts.

    A filled mark is the maps', the hollow one beside it that of their average over all images. Vertical lines are
    chance (dashed) and the centre prior (dotted).
    """
    marks, rules = [], []
    looks = {"plain": (method_style("sre2lpp"), -0.16), "cal": (method_style("sre2lpp_fd2"), 0.16)}
    for title, part in titled(summary, MEASURED):
        rules += [Rule(title, part["chance"].mean(), "--", "chance")]
        rules += [Rule(title, part["centre"].mean(), ":", "centre prior")]
        for row in sorted(records(part), key=lambda row: KINDS.index(row["map"])):
            (style, shift), teacher = looks[row["teacher_kind"]], word("teacher_kind", row["teacher_kind"])
            at, average = (title, VALUES["map"][row["map"]]), Interval(row["average_map"], math.nan, math.nan, row["n"])
            marks.append(Mark(*at, Interval.of(row), *style, label=f"{teacher} teacher", shift=shift))
            marks.append(Mark(*at, average, *style, label=f"{teacher}, average map", shift=shift, filled=False))
    figure = dots_figure(marks, "mass on the parts, %", rules)
    for axes in figure.axes if isinstance(figure, BookFigure) else []:
        axes.set_xlim(left=0)
    return figure
