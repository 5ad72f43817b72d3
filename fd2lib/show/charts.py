"""Charts: losses and accuracies over time, entropies, costs and bytes, similar classes, images in a plane."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import LogFormatter, LogLocator
from torch import Tensor

from fd2lib.analyse import LEARNER, parts, records
from fd2lib.analyse.costs import KIB, STAGES, WHOLE
from fd2lib.data import display_name
from fd2lib.ground import ShapeError
from fd2lib.losses import term_titles
from fd2lib.measure import Plane
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import wrap
from fd2lib.show.style import INK, MUTED, NORMAL, RIGHT, SMALL, BookFigure, add_legend, bare, method_style, new_figure
from fd2lib.show.titles import method_title, titled

# Apart by lightness as well, for readers who see no colour.
_STAGE_COLOURS = dict(zip(STAGES, ("#08306b", "#d55e00", "#f0b429", "#a6d3ea"), strict=True))
# Okabe and Ito's colours for classes; markers differ too.
_CLASS_STYLES = (("#0072b2", "o"), ("#d55e00", "^"), ("#009e73", "s"), ("#b8528f", "D"))


def stages_figure(table: pd.DataFrame) -> BookFigure | Html:
    """Return the images passed through networks by each stage as stacked bars, one panel for each set of images.

    The table is :func:`fd2lib.analyse.costs` in images.
    """
    places = titled(table.dropna(subset=[f"{stage}_images" for stage in STAGES]))
    if not places:
        return sentences("No row says how many images passed through networks.")
    heights = [0.75 + 0.3 * len(part) for _, part in places]
    figure = new_figure(min(sum(heights) + 0.8, 24), rows=len(places), height_ratios=heights)
    for axes, (title, part) in zip(figure.axes, places, strict=True):
        several = part.loc[part["method"] != WHOLE, "ipc"].nunique() > 1
        names = [
            method_title(row["method"]) + (f", {row['ipc']}" if several and row["ipc"] else "") for row in records(part)
        ]
        left = np.zeros(len(part))
        for stage in STAGES:
            width = part[f"{stage}_images"].to_numpy() / 1000
            axes.barh(range(len(part)), width, left=left, height=0.66, color=_STAGE_COLOURS[stage], label=stage)
            left = left + width
        axes.set_yticks(range(len(part)), names, size=SMALL)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set_title(wrap(title, 42), loc="left")
    figure.axes[-1].set_xlabel("thousand images through networks")
    add_legend(figure, columns=4)
    return figure


def bytes_figure(table: pd.DataFrame) -> BookFigure | Html:
    """Return accuracy over the bytes that a set takes per class, one panel for each set of images and student.

    The table is :func:`fd2lib.analyse.stored_bytes`. Sets of one method are joined by a line; dashed is the plain
    teacher, itself trained on the whole set.
    """
    places = titled(table[table["total"] > 0], LEARNER)
    if not places:
        return sentences("There is no such row.")
    figure = new_figure(1.1 + 2.9 * len(places), rows=len(places))
    for axes, (title, part) in zip(figure.axes, places, strict=True):
        for method in dict.fromkeys(part["method"]):
            sets, style = part[part["method"] == method].sort_values("total"), method_style(method)
            axes.plot(
                sets["total"], sets["mean"], markersize=7, linewidth=1.2, label=method_title(method),
                color=style.color, marker=style.marker,
            )  # fmt: skip
            known = sets[sets["low"].notna()]
            axes.vlines(known["total"], known["low"], known["high"], color=style.color, linewidth=1.6)
        plain = part["plain"].iloc[0]
        if plain == plain:
            axes.axhline(plain, color=MUTED, linestyle="--", linewidth=1)
            axes.annotate("plain teacher", (0.01, plain), xycoords=axes.get_yaxis_transform(), xytext=(0, 3),
                          textcoords="offset points", color=INK, size=SMALL)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(part["total"].min() / 1.4, part["total"].max() * 1.4)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=100))
        axes.xaxis.set_major_formatter(lambda mark, _: f"{mark:g}" if mark < KIB else f"{mark:,.0f}")
        axes.minorticks_off()
        axes.margins(y=0.12)
        axes.set_title(wrap(title, 42), loc="left")
        axes.set_ylabel("test accuracy, %")
    figure.axes[-1].set_xlabel("images and labels, KiB per class")
    add_legend(figure)
    return figure


def similarity_figure(matrix: np.ndarray, classes: Sequence[str], order: Sequence[int]) -> BookFigure:
    """Return a similarity matrix ``[K, K]`` of classes in an order as a heat map, its names below up to 20 classes.

    Such as :func:`fd2lib.measure.cosine_matrix` and :func:`fd2lib.measure.lookalike_order` give.
    """
    shown = matrix[np.ix_(order, order)].astype(float)
    off = shown[~np.eye(len(shown), dtype=bool)] if len(shown) > 1 else shown.ravel()
    low, high = float(off.min()), float(off.max())
    np.fill_diagonal(shown, np.nan)  # 1 by definition; it would hide the rest of the range
    names = [f"{place}  {display_name(classes[i])}" for place, i in enumerate(order, 1)] if len(classes) <= 20 else []
    figure = new_figure(4.3 + 0.2 * len(names), rows=2, height_ratios=[4.3, 0.2 * len(names) + 0.01])
    axes, legend = figure.axes
    legend.axis("off")
    legend.text(0, 1, "\n".join(names), va="top", size=NORMAL, color=INK, linespacing=1.3)
    bare(axes)
    axes.set_facecolor("#eef1f3")
    picture = axes.imshow(shown, cmap="viridis", interpolation="nearest", vmin=low, vmax=max(high, low + 1e-6))
    marks = range(len(names))
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(marks, [str(mark + 1) for mark in marks], size=NORMAL if len(names) <= 12 else 9, color=INK)
    if len(classes) <= 12:
        digits, size = 2 if high - low > 0.05 else 3, NORMAL if len(shown) <= 8 else 8.5
        for row, column in zip(*np.where(~np.isnan(shown)), strict=True):
            colour = "white" if shown[row, column] < (low + high) / 2 else INK  # light on dark fields
            value = f"{shown[row, column]:.{digits}f}"
            axes.text(column, row, value, ha="center", va="center", size=size, color=colour)
    bar = figure.colorbar(picture, ax=axes, shrink=0.9)
    bar.set_label("cosine similarity", color=INK, size=NORMAL)
    bar.outline.set_visible(False)
    return figure


def plane_figure(
    plane: Plane, real: Tensor, labels: Tensor, sets: Mapping[str, tuple[Tensor, Tensor]], classes: Sequence[str]
) -> BookFigure:
    """Return images of the first four classes in a plane: small pale marks are real, large dark ones distilled.

    The plane is such as :func:`fd2lib.measure.principal_plane` gives. Real images are given as features ``[N, D]`` and
    labels ``[N]``, distilled sets likewise, by title, one panel each.
    """
    classes = classes[: len(_CLASS_STYLES)]
    rows = -(-(len(sets) + 1) // 2)
    figure = new_figure(2.75 * rows + 0.2, rows=rows, columns=2, sharex=True, sharey=True)
    behind = plane.project(real)
    for axes, (title, (features, own)) in zip(figure.axes, sets.items(), strict=False):
        points = plane.project(features)
        for label, (colour, marker) in enumerate(_CLASS_STYLES[: len(classes)]):
            pale, dark = behind[labels == label], points[own == label]
            axes.plot(pale[:, 0], pale[:, 1], marker, color=colour, alpha=0.3, markersize=4, markeredgewidth=0)
            axes.plot(dark[:, 0], dark[:, 1], marker, color=colour, markersize=9, markeredgecolor=INK,
                      label=wrap(display_name(classes[label]), 24))  # fmt: skip
        axes.set_title(title, loc="left")
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
    for axes in figure.axes[len(sets) :]:
        axes.axis("off")
    handles, words = figure.axes[0].get_legend_handles_labels()
    figure.axes[len(sets)].legend(handles, words, loc="center", frameon=False, fontsize=SMALL, labelcolor=INK)
    share = [f"{100 * value:.0f} %" for value in plane.share.tolist()]
    figure.supxlabel(f"first direction ({share[0]} of the variance)", size=SMALL, color=MUTED)
    figure.supylabel(f"second ({share[1]})", size=SMALL, color=MUTED)
    return figure


def term_panels(history: pd.DataFrame, terms: Sequence[str] = (), *, x: str = "iteration") -> BookFigure | Html:
    """Return one small panel for each loss term of a stage's history, over its column ``x``.

    Without ``terms`` it is every known one; each image index and chunk, where there are several, has a thin line of its
    own. Of a history without rows a sentence says that nothing was optimised.

    Raises:
        ShapeError: none of the terms is a column of the history.
    """
    if history.empty:
        return sentences("Nothing was optimised: the starts are the result.")
    titles, names = term_titles(), [str(name) for name in history]
    shown = [term for term in (terms or titles) if term in names and history[term].notna().any()]
    if not shown:
        raise ShapeError(f"the history has the columns {', '.join(names)}; expected at least one loss term.")
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(2.05 * rows + 0.2, rows=rows, columns=columns, sharex=True)
    groups = [group for _, group in parts(history, ["index", "chunk"])]
    for axes, term in zip(figure.axes, shown, strict=False):
        used = history[term].fillna(0).any()
        for group in groups:
            known = group[group[term].notna()]
            if used and not known[term].any():
                continue  # the term does not apply to this image, as similarity to the first of a group
            axes.plot(known[x], known[term], color=RIGHT, linewidth=1.2, alpha=max(0.25, 1 / len(groups) ** 0.5))
        axes.set_title(titles.get(term, term.replace("_", " ")), loc="left")
        if not used:
            axes.text(0.5, 0.6, "zero: not used here", transform=axes.transAxes, ha="center", color=MUTED, size=SMALL)
    for position in range(len(shown), len(figure.axes)):
        figure.axes[position].set_visible(False)
        figure.axes[position - columns].tick_params(labelbottom=True)  # the panel above is the last of its column
    figure.supxlabel(x, color=INK, size=NORMAL)
    return figure


def student_curves(histories: Mapping[str, pd.DataFrame], chance: float = 0.0) -> BookFigure:
    """Return the students' training loss and test accuracy over epochs, one line for each method.

    Histories have ``epoch, loss, test_accuracy`` (%, blank when not tested). ``chance`` is the accuracy of guessing in
    %, drawn as a dashed line when above 0.
    """
    figure = new_figure(3.3, columns=2)
    loss, accuracy = figure.axes
    for method, history in histories.items():
        color, marker = method_style(method)
        tested = history[history["test_accuracy"].notna()]
        loss.plot(history["epoch"], history["loss"], color=color, linewidth=1.6)
        accuracy.plot(tested["epoch"], tested["test_accuracy"], color=color, linewidth=1.6, marker=marker, markersize=5,
                      markevery=max(1, len(tested) // 8), label=method_title(method))  # fmt: skip
    if chance:
        accuracy.axhline(chance, color=MUTED, linestyle="--", linewidth=1, label="guessing")
    if all((history["loss"].dropna() > 0).all() for history in histories.values()):
        loss.set_yscale("log")
        loss.yaxis.set_major_formatter(LogFormatter())  # the usual one writes formulas
        loss.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.4)))
    loss.set(xlabel="epoch", title="training loss")
    accuracy.set(xlabel="epoch", title="test accuracy, %", ylim=(0, None))
    add_legend(figure, below=True)
    return figure


def entropy_figure(entropies: Mapping[str, np.ndarray], num_classes: int) -> BookFigure:
    """Return histograms of soft labels' entropies, in bits and of any shape, one panel for each title.

    Marked is the entropy of a uniform label of K classes, which says nothing: log2 K bits.
    """
    figure = new_figure(2.6, columns=len(entropies), sharey=True)
    limit = float(np.log2(num_classes))
    for axes, (title, values) in zip(figure.axes, entropies.items(), strict=True):
        flat = np.asarray(values).ravel()
        axes.hist(flat, bins=30, range=(0, limit), weights=np.full(flat.size, 100 / flat.size), color="#56b4e9")
        axes.axvline(limit, color=MUTED, linestyle="--", linewidth=1)
        axes.set(title=title, xlabel="entropy, bits", xlim=(0, limit * 1.04))
        mean = float(flat.mean())
        axes.axvline(mean, color="#d55e00", linewidth=1.5)
        axes.text(mean, 0.98, f" mean {mean:.2f} ", color="#b34700", size=SMALL, va="top",
                  ha="right" if mean > limit / 2 else "left", transform=axes.get_xaxis_transform())  # fmt: skip
    figure.axes[0].set_ylabel("labels, %")
    return figure
