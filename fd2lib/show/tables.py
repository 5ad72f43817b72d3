"""Tables of results, costs, images and classes."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from fd2lib.analyse import Interval, StudyResults, arm_differences, binomial_interval, records, settings_behind, shares
from fd2lib.analyse.costs import BY, MEASURES, STAGES
from fd2lib.analyse.learned import QUANTITIES
from fd2lib.analyse.reading import PLACE
from fd2lib.data import display_name, list_datasets
from fd2lib.show.frames import Html, folded, sentences
from fd2lib.show.html_tables import cell_text, grouped_tables, html_table, intervals_in
from fd2lib.show.titles import (
    CAPTIONS,
    COLUMNS,
    SIGNED,
    method_title,
    pair_titles,
    per_class,
    place_title,
    titled,
    word,
)

if TYPE_CHECKING:
    from fd2lib.data import Dataset


def results_tables(summary: pd.DataFrame, rows: pd.DataFrame | None = None) -> Html:
    """Return tables of :func:`fd2lib.analyse.summarise`, or of differences or effects, which have a verdict.

    Given the rows behind a summary, the settings of each method fold out below its table.
    """
    if "verdict" in summary:
        return grouped_tables(summary.assign(difference=pair_titles(summary)), "differences")

    def settings(part: pd.DataFrame) -> Html:
        behind = settings_behind((rows if rows is not None else part).merge(part[PLACE].drop_duplicates()))
        names = {str(name): method_title(str(name)) for name in behind.columns[1:]}
        return folded("Settings behind this table", html_table(behind, titles=names))

    return grouped_tables(summary, "results", below=settings if rows is not None else None)


def study_table(*studies: StudyResults) -> Html:
    """Return one table for each study and IPC: every arm's mean with its 95 % interval, and its paired difference.

    Scale and images that several studies share are said above the first, once.
    """
    places = list(dict.fromkeys(_guessed(results) for results in studies if len(results.rows)))
    shared = len(studies) > 1 and len(places) == 1
    made = [sentences(places[0])] if shared else []
    for results in studies:
        made += [] if len(results.rows) else [sentences(f"{results.title}: not measured.")]
        made += [_study_table(results, ipc, placed=not shared) for ipc in results.ipcs]
    return Html("<br>".join(made or [sentences("Nothing was measured.")]))


def _guessed(results: StudyResults) -> str:
    return f"{place_title(results.place)}, guessing {100 / results.place['num_classes']:.1f} %"


def _study_table(results: StudyResults, ipc: int, placed: bool) -> Html:
    verdicts = {row["a"]: row["verdict"] for row in records(arm_differences(results)) if row["ipc"] == ipc}
    change = 100 * results.rows[results.rows["ipc"] == ipc].groupby("arm")["mean_pixel_change"].mean()
    lines = []
    for arm, title in results.titles.items():
        mean, gap = results.accuracy(arm, ipc), results.gap(arm if arm in verdicts else "", ipc)
        lines.append({
            "arm": title, "mean": mean, "gap": gap, "n": str(mean.n or "not measured"), "pairs": str(gap.n or "–"),
            "verdict": "reference" if arm == results.reference else verdicts.get(arm, "–"),
            "moved": float(change.get(arm, math.nan)),
        })  # fmt: skip
    table = pd.DataFrame(lines)
    if (table["pairs"].eq("–") | table["pairs"].eq(table["n"])).all():
        table = table.drop(columns="pairs")
    if not change.min() == 0 < change.max():  # unless images that were not moved stand beside some that were
        table = table.drop(columns="moved")
    caption = f"{results.title.rstrip('?')}, {per_class(ipc)}"
    caption += f"; {_guessed(results)}" if placed else ""
    return html_table(table, caption, COLUMNS["study"], signed=SIGNED["study"])


def shares_table(results: StudyResults, *of: str) -> Html:
    """Return a table of :func:`fd2lib.analyse.shares`: what share of some arms' accuracies each arm reaches."""
    if results.rows.empty:
        return sentences(f"{results.title}: not measured.")
    columns = [
        pd.Series({(row["ipc"], row["arm"]): Interval.of(row) for row in records(shares(results, arm))}, name=arm)
        for arm in of
    ]
    lines = pd.concat(columns, axis=1).rename_axis(["ipc", "arm"]).reset_index()
    lines["arm"] = [results.titles[arm] for arm in lines["arm"]]
    titles = {"arm": ""} | {arm: f"in % of {results.titles[arm]}" for arm in of}
    return html_table(lines[["arm", "ipc", *of]], f"Shares of accuracy; {place_title(results.place)}", titles)


def coverage_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.coverage` as a table: what there are rows of."""
    lines = [(title, *part[["students", "methods", "seeds"]].iloc[0]) for title, part in titled(table)]
    columns = ["rows of", "students", "methods", "seeds"]
    return html_table(pd.DataFrame(lines, columns=columns)) if lines else sentences("There is no such row.")


def costs_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.costs` as tables."""
    (measure,) = [name for name in MEASURES if f"{STAGES[0]}_{name}" in table]
    shown = table.rename(columns={f"{stage}_{measure}": stage for stage in STAGES})
    shown[list(STAGES)] /= 1000 if measure == "images" else 1
    lacking = "; a dash: not measured" if shown[list(STAGES)].isna().any(axis=None) else ""
    return grouped_tables(shown, "costs", CAPTIONS[measure] + lacking)


def bytes_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.stored_bytes` as tables."""
    ratio = table["ratio"].where(table["ratio"] > 0).map("{:.2f}".format, "ignore")
    return grouped_tables(table.assign(ratio=ratio), "bytes")


def break_even_table(images: pd.DataFrame, seconds: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.break_even` as tables: numbers of students, counted in images and in seconds."""
    timed = seconds.groupby(BY, sort=False)["students"].apply(lambda each: "; ".join(dict.fromkeys(map(_from, each))))
    shown = images.merge(timed.rename("by_seconds").reset_index(), on=BY, how="left")
    shown["by_images"] = [_from(value) for value in shown["students"]]
    shown[["once", "each", "whole"]] /= 1000
    return grouped_tables(shown, "break_even")


def store_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.without_store` as tables."""
    shown = table.assign(again_images=table["again_images"] / 1000, pays=[_from(value) for value in table["students"]])
    return grouped_tables(shown, "store")


def _from(students: float) -> str:
    """Return a number of students as a person writes it: ``student 12 on``, ``never``, or a dash."""
    if students != students:
        return "–"
    return "never" if math.isinf(students) else f"student {students:,.0f} on"


def geometry_table(summary: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.analyse.geometry_summary` as tables: what sets of images are like in one space."""
    if summary.empty:
        return sentences("There is no such row.")
    ends = {"real": "all training images", "start": ", before optimisation"}
    sets = [method_title(row["method"]) + ends.get(row["images"], "") for row in records(summary)]
    begins, per_class = ([word(name, value) for value in summary[name]] for name in ("start", "ipc"))
    copies = summary["copies"].map("{:.1f}".format)
    shown = summary.assign(set=sets, begins=begins, per_class=per_class, copies=copies)
    known = {name for name in QUANTITIES if any(value.mean == value.mean for value in intervals_in(summary[name]))}
    unknown = set(QUANTITIES) - known - {"copies"}
    return grouped_tables(shown.drop(columns=[*unknown, "start", "method", "ipc"]), "geometry", digits=3)


def differences_table(differences: pd.DataFrame, digits: int = 1) -> Html:
    """Return :func:`fd2lib.analyse.mass_differences` or ``geometry_differences`` as tables."""
    if differences.empty:
        return sentences("No seed was measured on both sides.")
    return grouped_tables(differences, "differences", digits=digits)


def students_table(results: Mapping[str, Any]) -> Html:
    """Return the students of one seed: last-epoch accuracy with its interval over test images, and the best beside it.

    Results are :class:`fd2lib.stages.EvaluateResult` by method.
    """
    rows = [
        (method_title(method), binomial_interval(one.last_accuracy, one.test_images), one.best_accuracy)
        for method, one in results.items()
    ]
    frame = pd.DataFrame(rows, columns=["method", "last", "best"])
    return html_table(frame, "Test accuracy of one student each (top-1)", COLUMNS["students"])


def pairs_table(pairs: pd.DataFrame) -> Html:
    """Return pairs of classes, from ``confused_pairs`` or ``closest_pairs``, as a table."""
    if pairs.empty:
        return sentences("There is no such pair.")
    return html_table(pairs.drop(columns=["first", "second"]), "", COLUMNS["pairs"], digits=2)


def registry_table() -> Html:
    """Return the image sets that are known by name, with their sizes and terms."""
    known = [
        (one.name, *(number or "–" for number in (one.num_classes, one.train_images, one.test_images)), one.licence)
        for one in list_datasets().values()
    ]
    columns = ["name", "classes", "training images", "test images", "licence or terms"]
    return html_table(pd.DataFrame(known, columns=columns))


def counts_table(data: "Dataset") -> Html:
    """Return how many training and test images each class of a set has."""
    splits = {"training images": data.train, "test images": data.test}
    counts = {title: split.labels.bincount(minlength=data.num_classes).tolist() for title, split in splits.items()}
    return html_table(pd.DataFrame({"class": [display_name(name) for name in data.classes], **counts}))


def facts_table(facts: Mapping[str, Any], caption: str = "") -> Html:
    """Return names and values as a two-column table."""
    pairs = [(name, cell_text(value)) for name, value in facts.items()]
    return html_table(pd.DataFrame(pairs, columns=["name", "value"]), caption, {"name": "", "value": ""})
