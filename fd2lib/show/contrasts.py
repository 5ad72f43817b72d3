"""What the plan asks, in tables and a figure: verdicts, the state of evidence, scores, where variance comes from."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fd2lib.analyse import NOT_MEASURED, PLACE, SCORES, Interval, parts, records, verdict_words
from fd2lib.show.dots import PAIRED, Mark, band_figure
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import wrap
from fd2lib.show.html_tables import cell_text, grouped_tables, html_table, interval_column
from fd2lib.show.style import MUTED, RIGHT, WRONG, BookFigure
from fd2lib.show.titles import COLUMNS, SIGNED, VALUES, per_class, titled, word

NOTE_WIDTH = 16  # letters
NOT_ALL = "not all seeds were run"
APART = [*PLACE, "study"]  # what no table or panel mixes
_COLORS = {"better": RIGHT, "worse": WRONG}


def verdict_table(verdicts: pd.DataFrame, question: str = "") -> Html:
    """Return :func:`fd2lib.analyse.verdicts` as one table for each set of images; ``question`` begins its caption."""
    if not verdicts["n"].any():
        return sentences(f"{question.rstrip('?') or 'Planned contrasts'}: {NOT_MEASURED}.")
    made = []
    for title, part in titled(verdicts, APART):
        lines = part.assign(
            mean=interval_column(part),
            p=[probability(value) for value in part["p"]],
            adjusted=[probability(value) for value in part["adjusted"]],
            verdict=_said(part),
        )
        caption = "; ".join(filter(None, [question.rstrip("?"), title, *_lacking(part)]))
        made.append(
            html_table(lines[list(COLUMNS["verdicts"])], caption, COLUMNS["verdicts"], signed=SIGNED["verdicts"])
        )
    return Html("<br>".join(made))


def verdict_plot(verdicts: pd.DataFrame) -> BookFigure | Html:
    """Return the effects of :func:`fd2lib.analyse.verdicts` with their 95 % intervals, around zero and the band.

    A panel holds a set of images and an IPC; a mark is filled where the verdict, after correction, is better or worse.
    """
    marks, places = list[Mark](), titled(verdicts, APART)
    for title, part in places:
        for words, row in zip(_said(part), records(part), strict=True):
            panel = ", ".join(filter(None, [title if len(places) > 1 else "", per_class(row["ipc"])]))
            if row["n"]:
                color = _COLORS.get(row["verdict"], MUTED)
                note = f"{wrap(words, NOTE_WIDTH)}\nn {row['n']}"
                filled = row["verdict"] in _COLORS
                marks.append(Mark(panel, row["contrast"], Interval.of(row), color, filled=filled, note=note))
    return band_figure(marks, PAIRED)


def evidence_table(evidence: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.drive.evidence` as one table for each of those who claim, with links to the pages."""
    made = []
    for key, part in parts(evidence, ["by"]):
        links = [_link(name) for name in part["page"]]
        lines = part.assign(
            claim=part["claim"].where(~part["claim"].duplicated(), ""),
            effect=[cell_text(Interval.of(row), 1 if row["points"] else 3, signed=True) for row in records(part)],
            page=pd.Series(links, part.index, dtype=object),  # as texts they would be no markup
        )
        caption = VALUES["by"][key["by"]]
        made.append(html_table(lines[list(COLUMNS["evidence"])], caption, COLUMNS["evidence"]))
    return Html("<br>".join(made))


def _link(page: str) -> Html:
    return Html(f'<a href="{page}.html">{page.partition("_")[2].replace("_", " ")}</a>')


def scores_table(scores: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.ranking_scores` as a table: a line for each arm and IPC, a column for each score."""
    if not scores["n"].any():
        return sentences("DD-Ranking's scores: not measured.")
    lines = []
    for key, part in parts(scores, ["arm", "ipc"]):
        values = {row["score"]: Interval.of(row) for row in records(part)}
        lines.append(key | values | {"n": min(one.n for one in values.values())})
    caption = "DD-Ranking's formula, our protocol: accuracies as fractions"
    signed = {name for name in SCORES if name in ("hlr", "ior")}
    return html_table(pd.DataFrame(lines), caption, {"arm": ""} | SCORES | {"n": "n (seeds)"}, digits=2, signed=signed)


def variance_table(components: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.variance_components`, by place, as a table of standard deviations in points.

    An estimate below 0, which says that a level adds nothing to what those below it bring, is shown as 0.
    """
    if components.empty:
        return sentences(f"Where variance comes from: {NOT_MEASURED}.")
    told = [word("component", name) for name in components["component"]]
    return grouped_tables(components.assign(component=told), "variance", digits=2)


def _said(verdicts: pd.DataFrame) -> list[str]:
    return [verdict_words(row["verdict"], row["equivalent"]) for row in records(verdicts)]


def _lacking(verdicts: pd.DataFrame) -> Sequence[str]:
    return [] if verdicts["complete"].all() else [NOT_ALL]


def probability(value: Any) -> str:
    """Return a p as a person writes it: three digits, and no smaller than they tell."""
    if value != value:
        return "–"
    return "<\N{NO-BREAK SPACE}0.001" if value < 0.001 else f"{value:.3f}"
