"""Tables as plain HTML that a phone can scroll, and the numbers in them as a person writes them."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.data import Dataset, display_name, list_datasets
from fd2lib.show.frames import Html, folded, sentences
from fd2lib.show.rows import settings_behind
from fd2lib.show.statistics import binomial_interval, pair_titles
from fd2lib.show.style import method_title

TITLES = {
    "scale": "scale",
    "dataset": "data set",
    "classes": "classes",
    "image_size": "image size, px",
    "teacher": "teacher",
    "teacher_init": "teacher starts from",
    "student": "student",
    "student_init": "student starts from",
    "labels": "labels",
    "start": "start",
    "ipc": "images per class",
    "variant": "differing settings",
    "method": "method",
    "mean": "mean",
    "interval": "95 % interval",
    "n": "n (seeds)",
    "verdict": "verdict",
}
START_TITLES = {
    "pool1": "one crop",
    "pool2": "2×2 mosaic",
    "whole": "whole image",
    "noise": "noise",
    "all": "all images",
}


def html_table(rows: pd.DataFrame, caption: str = "", titles: Mapping[str, str] | None = None) -> Html:
    """Return a table as plain HTML: numbers right-aligned, scrolling sideways where it is too wide.

    Args:
        rows: what to show; cells are escaped, floats get one decimal.
        caption: above the table.
        titles: column titles; :data:`TITLES` for those not given.
    """
    names = {**TITLES, **(titles or {})}
    numeric = {name for name in rows if pd.api.types.is_numeric_dtype(rows[name])}
    edge = "padding:.3em .5em;border-bottom:1px solid #ccd3d8;"

    def cell(tag: str, column: str, text: str) -> str:
        side = "right" if column in numeric or column in ("interval", "mean") else "left"
        whole = "white-space:nowrap;" if column in ("interval", "start", "method", "verdict") else ""
        whole += "min-width:8em;" if column in ("difference", "arm") else ""
        return f'<{tag} style="{edge}{whole}text-align:{side}">{html.escape(text)}</{tag}>'

    head = "".join(cell("th", name, names.get(name, str(name).replace("_", " "))) for name in rows)
    body = "".join(
        "<tr>" + "".join(cell("td", name, _text(row[name])) for name in rows) + "</tr>" for _, row in rows.iterrows()
    )
    above = f'<p style="margin:.8em 0 .3em">{html.escape(caption)}</p>' if caption else ""
    return Html(
        f'{above}<div style="overflow-x:auto;max-width:100%" tabindex="0" role="region" '
        f'aria-label="{html.escape(caption or "table")}"><table style="border-collapse:collapse;font-size:.92em">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _text(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def results_table(summary: pd.DataFrame, caption: str = "") -> Html:
    """Return a summary (of :func:`summarise` or :func:`paired_difference`) as a table.

    Columns that hold one value throughout move into the caption, so that what varies is what is seen.
    """
    table = summary.copy()
    signed = "verdict" in table
    shown = "{:+.1f}" if signed else "{:.1f}"
    table["interval"] = [
        "one seed" if low != low else f"{shown.format(low)} to {shown.format(high)}"
        for low, high in zip(table["low"], table["high"], strict=True)
    ]
    table["mean"] = [shown.format(value) for value in table["mean"]]
    for name in ("interval", "mean"):
        table[name] = [text.replace("-", "−") for text in table[name]]
    if "method" in table:
        table["method"] = [method_title(name) for name in table["method"]]
    if signed:
        table = table.assign(difference=pair_titles(table)).drop(columns=["a", "b"])
    if "start" in table:
        table["start"] = [START_TITLES.get(name, name) for name in table["start"]]
    fixed, varying = fixed_and_varying(
        table.drop(columns=["low", "high", "mean", "interval", "n", "verdict"], errors="ignore")
    )
    tail = ["mean", "interval", "n", *(["verdict"] if signed else [])]
    words = "; ".join([caption, *fixed] if caption else fixed)
    titles = {
        "mean": "mean difference, points" if signed else "mean top-1, %",
        "n": "n (paired seeds)" if signed else "n (seeds)",
    }
    return html_table(table[[*varying, *tail]], words, {**titles, "a": "method", "b": "minus"})


def results_tables(summary: pd.DataFrame, rows: pd.DataFrame | None = None) -> Html:
    """Return one table for each scale and set of images, so that no table mixes what must not be compared.

    Args:
        summary: of :func:`summarise` or :func:`paired_difference`.
        rows: the rows behind it; given, the settings of each method fold out below its table.
    """
    if summary.empty:
        return sentences("There is no such row.")
    keys = ["scale", "dataset", "classes", "image_size"]
    parts = []
    for values, part in summary.groupby(keys, sort=False):
        parts.append(results_table(part))
        if rows is not None:
            behind = rows[(rows[keys] == list(values)).all(axis=1)]
            parts.append(_settings_table(behind))
    return Html("<br>".join(parts))


def _settings_table(rows: pd.DataFrame) -> Html:
    table = settings_behind(rows)
    titles = {name: method_title(name) for name in table.columns[1:]}
    return folded("Settings behind this table", html_table(table, titles=titles))


def students_table(results: Mapping[str, Any]) -> Html:
    """Return the students of one seed: last-epoch accuracy with its interval over test images, and the best beside it.

    Args:
        results: method to :class:`fd2lib.stages.EvaluateResult`.
    """
    rows = []
    for method, result in results.items():
        low, high = binomial_interval(result.last_accuracy, result.test_images)
        interval = f"{low:.1f} to {high:.1f}"
        rows.append((method_title(method), result.last_accuracy, interval, 1, result.best_accuracy))
    table = pd.DataFrame(rows, columns=["method", "last", "interval", "n", "best"])
    titles = {
        "last": "last epoch, %",
        "interval": "95 % interval over test images",
        "best": "best epoch, % (selected on test images)",
    }
    return html_table(table, "Test accuracy of one student each (top-1)", titles)


def pairs_table(pairs: pd.DataFrame) -> Html:
    """Return pairs of classes, from :func:`confused_pairs` or :func:`closest_pairs`, as a table."""
    if pairs.empty:
        return sentences("There is no such pair.")
    shown = pairs.drop(columns=["first", "second"])
    if "similarity" in shown:
        shown["similarity"] = [f"{value:.2f}" for value in shown["similarity"]]
    titles = {"first_name": "class", "second_name": "and", "confused": "test images confused", "of": "of"}
    return html_table(shown, "", titles)


def registry_table() -> Html:
    """Return the image sets that are known by name, with their sizes and terms."""
    known = [
        (
            info.name,
            *(number or "–" for number in (info.num_classes, info.train_images, info.test_images)),
            info.licence,
        )
        for info in list_datasets().values()
    ]
    columns = ["name", "classes", "training images", "test images", "licence or terms"]
    return html_table(pd.DataFrame(known, columns=columns), "", {"classes": "classes"})


def counts_table(data: Dataset) -> Html:
    """Return how many training and test images each class of a set has."""
    names = [display_name(name) for name in data.classes]
    splits = {"training images": data.train, "test images": data.test}
    counts = {title: split.labels.bincount(minlength=data.num_classes).tolist() for title, split in splits.items()}
    return html_table(pd.DataFrame({"class": names, **counts}))


def fixed_and_varying(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return sentences for columns with one value (empty ones are dropped), and the names of the others."""
    fixed, varying = [], []
    for name in table:
        values = table[name].unique()
        if len(values) > 1 or name == "method":
            varying.append(name)
        elif str(values[0]) not in ("", "0"):
            title = "" if name == "difference" else TITLES.get(name, name).removesuffix(", px")
            fixed.append(f"{title} {values[0]}{' px' * (name == 'image_size')}".strip())
    return fixed, varying


def facts_table(facts: Mapping[str, Any] | Sequence[tuple[str, Any]], caption: str = "") -> Html:
    """Return names and values as a two-column table."""
    pairs = facts.items() if isinstance(facts, Mapping) else facts
    return html_table(
        pd.DataFrame([(name, _text(value)) for name, value in pairs], columns=["what", "value"]),
        caption,
        {"what": "", "value": ""},
    )
