"""Lines over iterations and epochs, and distributions of soft labels."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import LogFormatter

from fd2lib.analyse import parts
from fd2lib.ground import ShapeError
from fd2lib.losses import term_titles
from fd2lib.show.frames import Html, sentences
from fd2lib.show.style import INK, MUTED, NORMAL, RIGHT, SMALL, BookFigure, add_legend, method_style, new_figure
from fd2lib.show.titles import method_title


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
