"""Bytes of soft labels and what fewer of them cost, as tables and a figure."""

import math

import pandas as pd

from fd2lib.analyse import DECIDED, Interval, LabelBudget, records
from fd2lib.show.dots import Mark, Rule, dots_figure
from fd2lib.show.frames import Html, sentences
from fd2lib.show.html_tables import grouped_tables, html_table
from fd2lib.show.style import INK, RIGHT, BookFigure
from fd2lib.show.titles import COLUMNS, SIGNED, per_class, place_title


def formats_table(formats: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.measure.compare_formats` as a table."""
    return html_table(formats, "", COLUMNS["formats"], digits=3)


def label_tables(published: pd.DataFrame, sizes: pd.DataFrame, budget: LabelBudget) -> Html:
    """Return :func:`fd2lib.analyse.published_labels`, ``label_sizes`` and ``label_budget`` as tables."""
    made = [grouped_tables(published, "published"), grouped_tables(sizes, "sizes", digits=2), _budget_table(budget)]
    return Html("<br>".join(made))


def _budget_table(budget: LabelBudget) -> Html:
    """One table for each IPC, or a sentence where nothing was measured."""
    if budget.table.empty:
        return sentences(f"{budget.results.title}: not measured.")
    made = []
    for ipc, part in budget.table.groupby("ipc"):
        caption = f"{budget.results.title}, {per_class(int(str(ipc)))}; {place_title(budget.results.place)}"
        shown = part.assign(pairs=[str(number or "–") for number in part["n"]])[list(COLUMNS["budget"])]
        made.append(html_table(shown, caption, COLUMNS["budget"], signed=SIGNED["budget"]))
    return Html("<br>".join(made))


def label_budget_plot(budget: LabelBudget) -> BookFigure | Html:
    """Return :func:`fd2lib.analyse.label_budget` as a figure: differences around zero, strokes at the goals.

    A mark is filled where its interval excludes zero; in brackets stands how many times fewer bytes there are.
    """
    marks, rules, results = list[Mark](), list[Rule](), budget.results
    for row in records(budget.table[budget.table["arm"] != results.reference]):
        panel, gap = f"{place_title(results.place)}, {per_class(row['ipc'])}", row["gap"]
        line = f"{row['title']} ({row['fewer']:.1f} ×)"
        marks.append(Mark(panel, line, gap, RIGHT, filled=gap.verdict in DECIDED, note=f"n {gap.n}"))
        if row["goal"] == row["goal"]:
            goal = Interval(-row["goal"], math.nan, math.nan, 0)
            marks.append(Mark(panel, line, goal, INK, marker="|", label="goal"))
        rules += [] if any(rule.panel == panel for rule in rules) else [Rule(panel, 0)]
    if not marks:
        return sentences(f"{results.title}: not measured.")
    return dots_figure(marks, "accuracy minus that of full labels, points", rules)
