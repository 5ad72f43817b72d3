"""Effects as figures and tables: at several IPC, around zero and the band of no help; and on the paper's two claims."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fd2lib.analyse import DECIDED, Interval, StudyResults, arm_means, records
from fd2lib.analyse.learned import MEASURED
from fd2lib.show.dots import PAIRED, Mark, Rule, band_figure, beside, dots_figure
from fd2lib.show.frames import Html, sentences
from fd2lib.show.html_tables import html_table
from fd2lib.show.style import OTHER, RIGHT, WRONG, BookFigure
from fd2lib.show.titles import per_class, place_title, titled, word

_LOOKS = ((RIGHT, "o"), (WRONG, "^"), (OTHER, "s"))  # of IPC, in turn
_NONE = "Nothing was measured."
# What FD² is claimed to do to a set of images, by the quantity that shows it.
_CLAIMS = {
    "distinctness": "distinctness (claimed: above zero)",
    "similarity": "similarity of images of a class (claimed: below zero)",
    "diversity": "diversity of images of a class (claimed: above zero)",
}


def effect_plot(groups: Mapping[str, pd.DataFrame]) -> BookFigure | Html:
    """Return paired differences as a figure: a panel for each group, a line for each effect, a mark for each IPC.

    Groups are tables with ``effect, ipc, mean, low, high, n, verdict``, such as those of
    :func:`fd2lib.analyse.factor_effects` and ``contrast_differences``. A mark is filled where its interval excludes
    zero; the grey band is that of differences which are no help.
    """
    ipcs, marks = _ipcs(groups), list[Mark]()
    for title, table in groups.items():
        for row in records(table.sort_values("ipc", kind="stable")):
            place = ipcs.index(row["ipc"])
            shift = beside(place, len(ipcs))
            gap, look = Interval.of(row), _LOOKS[place % len(_LOOKS)]
            at, filled = (title, row["effect"], gap, *look), gap.verdict in DECIDED
            marks.append(Mark(*at, label=per_class(row["ipc"]), shift=shift, filled=filled, note=f"n {row['n']}"))
    return band_figure(marks, "\n".join([PAIRED, *_places(groups)]))


def effect_table(groups: Mapping[str, pd.DataFrame]) -> Html:
    """Return what :func:`effect_plot` draws as one table: an effect a row, an IPC a column."""
    ipcs, lines = _ipcs(groups), []
    for table in groups.values():
        for effect, part in table.groupby("effect", sort=False):
            lines.append({"": effect} | _by_ipc(part, ipcs))
    return _ipc_table(lines, ipcs, ", ".join(["paired differences, points", *_places(groups)]), signed=True)


def level_table(results: StudyResults) -> Html:
    """Return every measured arm's mean accuracy with its interval: an arm a row, an IPC a column."""
    means, ipcs = arm_means(results), results.ipcs
    lines = [{"": results.titles[str(arm)]} | _by_ipc(part, ipcs) for arm, part in means.groupby("arm", sort=False)]
    return _ipc_table(lines, ipcs, f"test accuracy, %, not paired, {place_title(results.place)}")


def _by_ipc(rows: pd.DataFrame, ipcs: list[int]) -> dict[str, object]:
    found = {row["ipc"]: Interval.of(row) for row in records(rows)}
    numbers = ", ".join(dict.fromkeys(str(one.n) for one in found.values()))
    return {per_class(ipc): found.get(ipc) for ipc in ipcs} | {"n": numbers}


def _ipc_table(lines: list[dict[str, object]], ipcs: list[int], caption: str, signed: bool = False) -> Html:
    if not lines:
        return sentences(_NONE)
    return html_table(pd.DataFrame(lines, dtype=object), caption, signed=[per_class(ipc) for ipc in ipcs if signed])


def _ipcs(groups: Mapping[str, pd.DataFrame]) -> list[int]:
    return sorted({ipc for table in groups.values() for ipc in table["ipc"]})


def _places(groups: Mapping[str, pd.DataFrame]) -> list[str]:
    """Scale and images of the groups, each once."""
    return list(dict.fromkeys(place_title(row) for table in groups.values() for row in records(table)))


def claims_plot(differences: pd.DataFrame) -> BookFigure | Html:
    """Return :func:`fd2lib.analyse.geometry_differences` of the claims, a panel each, of the first set of images.

    Quantities have units of their own, so panels have axes of their own. A mark is filled where its interval excludes
    zero.
    """
    places = titled(differences, MEASURED)[:1]
    marks = [
        Mark(_CLAIMS[quantity], line, Interval.of(row), RIGHT, filled=row["verdict"] in DECIDED, note=f"n {row['n']}")
        for _, part in places
        for quantity in _CLAIMS
        for line, row in _seen(part[part["what"] == quantity])
    ]
    rules = [Rule(panel, 0) for panel in dict.fromkeys(mark.panel for mark in marks)]
    names = [place_title(records(part)[0]) for _, part in places]
    return dots_figure(marks, "\n".join(["difference within a seed (paired), own units", *names]), rules)


def claims_table(differences: pd.DataFrame) -> Html:
    """Return what :func:`claims_plot` draws, of every set of images: a row for each space and start."""
    made = []
    for title, part in titled(differences, MEASURED):
        lines: dict[str, dict[str, object]] = {}
        for quantity in _CLAIMS:
            for line, row in _seen(part[part["what"] == quantity]):
                lines.setdefault(line, {"": line}).update({quantity: Interval.of(row), "n": row["n"]})
        columns = ["", *_CLAIMS, "n"]
        shown = pd.DataFrame(list(lines.values()), columns=columns, dtype=object)
        made.append(html_table(shown, title, {"n": "n (paired seeds)"}, digits=3, signed=columns))
    return Html("<br>".join(made)) if made else sentences(_NONE)


def _seen(differences: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Rows, each after what it was seen in and what its images start from."""
    spaces = {"imagenet": "ImageNet"}
    return [
        (f"{spaces.get(row['space'], row['space'])}, {word('start', row['start'])}", row)
        for row in records(differences)
    ]
