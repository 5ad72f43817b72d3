"""Times: of steps beside the bare passes of their networks, how they grow, and estimates at the paper's scale."""

from typing import Any

import pandas as pd

from fd2lib.analyse import PEAKS, Interval, parts, records
from fd2lib.analyse.costs import STAGES
from fd2lib.analyse.speed import GROWING, MACHINE
from fd2lib.show.frames import Html, folded, sentences
from fd2lib.show.html_tables import html_table
from fd2lib.show.style import MUTED, RIGHT, BookFigure, add_legend, new_figure
from fd2lib.show.titles import CAPTIONS, COLUMNS, word

_NONE = "Nothing was measured: fd2lib bench does it."


def speed_table(rows: pd.DataFrame) -> Html:
    """Return rows of :func:`fd2lib.analyse.load_speed` as tables of each machine and clock, without growth."""
    tables = []
    ablation = rows["set"] == "ablation"
    for title, chosen in (("", rows[~ablation & (rows["set"] != "growth")]), ("less in a step: ", rows[ablation])):
        for machine, part in parts(chosen, MACHINE):
            ratio = [
                Interval(row["ratio"], row["ratio_low"], row["ratio_high"], row["repeats"]) for row in records(part)
            ]
            shown = part.assign(
                step=[_step_title(row) for row in records(part)],
                ratio=pd.Series(ratio, part.index, dtype=object),
                full_ms=part["full_ms"].round().astype(int),
                bare_ms=part["bare_ms"].round().astype(int),
                rate=part["images_per_second"].round().astype(int),
                peak=part["peak_mib"].round().astype("Int64"),
            )
            caption = title + _machine(machine)
            tables.append(html_table(_columns(shown, "speed"), caption, COLUMNS["speed"], digits=2))
    return Html("<br>".join(tables)) if tables else sentences(_NONE)


def _columns(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[[name for name in COLUMNS[kind] if table[name].notna().any()]]


def _machine(machine: dict[str, Any]) -> str:
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] != 1)}"
    clock = {"processor": ", processor time", "wall": ", elapsed time"}.get(machine.get("clock", ""), "")
    return f"{machine['device']}, {threads}{clock}"


def _step_title(row: dict[str, Any]) -> str:
    """What a case measures, in words."""
    if row["stage"] == "decoding":
        return f"{word('stage', row['stage'])}, {row['batch']} photographs to {row['image_size']} px"
    head = f", K {row['classes']}" if row["stage"] in ("pretrain", "distill") else ""
    head += (f", M {row['maps']}" if row["maps"] else ", no head") if head else ""
    precision = "" if row["precision"] == "fp32" else f", {row['precision']}"
    title = f"{word('stage', row['stage'])}, {row['backbone']}, {row['image_size']} px{head}, batch {row['batch']}"
    left_out = [name.removesuffix("_weight").replace("bn", "BatchNorm matching") for name in row["without"].split()]
    return title + precision + (f", without {' and '.join(left_out)}" if left_out else "")


def profile_table(rows: pd.DataFrame) -> Html:
    """Return the profile of :func:`fd2lib.analyse.load_speed` as one table for each case: where a step's time goes."""
    tables = [
        html_table(
            _columns(part, "profile"), f"Where the time goes: {key['case']}; {_machine(key)}", COLUMNS["profile"]
        )
        for key, part in parts(rows, ["case", "device", "threads"])
    ]
    return Html("<br>".join(tables)) if tables else sentences(_NONE)


def time_tables(speed: pd.DataFrame, profile: pd.DataFrame, counts: pd.DataFrame, minutes: pd.DataFrame) -> Html:
    """Return :func:`speed_table`, what ``analyse.waits`` and ``analyse.whole_run`` give, and :func:`profile_table`."""
    kinds = (("waits", counts, 0), ("whole_run", minutes, 1))
    told = [html_table(table, CAPTIONS[kind], COLUMNS[kind], digits=digits) for kind, table, digits in kinds]
    return Html("<br>".join([speed_table(speed), *told, profile_table(profile)]))


def growth_figure(table: pd.DataFrame) -> BookFigure | Html:
    """Return :func:`fd2lib.analyse.growth` as one panel for each size that grows: a step, and the bare passes."""
    if table.empty:
        return sentences(_NONE)
    groups = [(key["what"], part) for key, part in parts(table, ["what"])]
    rows = -(-len(groups) // 2)
    figure = new_figure(2.2 * rows + 0.4, rows=rows, columns=2, squeeze=False)
    for axes, (what, part) in zip(figure.axes, groups, strict=False):
        axes.plot(part["value"], part["full_ms"], "o-", color=RIGHT, linewidth=1.6, label="step")
        axes.plot(part["value"], part["bare_ms"], "s--", color=MUTED, linewidth=1.6, label="bare passes")
        axes.set(xlabel=GROWING[what], xticks=part["value"], ylim=(0, 1.12 * part["full_ms"].max()))
    for axes in figure.axes[len(groups) :]:
        axes.set_visible(False)
    figure.supylabel("milliseconds")
    add_legend(figure)
    return figure


def estimates_table(table: pd.DataFrame, shown: str = "cub200") -> Html:
    """Return :func:`fd2lib.analyse.paper_estimates` as one table for each data set, all but one folded."""
    table = table.assign(kept=table[[f"{stage}_mib" for stage in STAGES]].sum(axis=1))
    made = {}
    for key, part in parts(table, ["dataset"]):
        lines = part.assign(method=[word("method", name) for name in part["method"]])
        lines = lines[
            ["student", "ipc", "method", *(name for name in COLUMNS["estimates"] if name != "student"), *PEAKS]
        ]
        titles = COLUMNS["estimates"] | {name: f"{name}, min" for name in PEAKS}
        caption = f"{key['dataset']}, paper scale; {CAPTIONS['estimates']}"
        made[key["dataset"]] = html_table(lines, caption, titles, digits=1)
    first = made.pop(shown, Html(""))
    return Html(first + "".join(folded(name, one) for name, one in made.items()))
