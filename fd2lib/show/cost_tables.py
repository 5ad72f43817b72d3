"""Tables of what a distilled set costs, one for each scale and set of images."""

import math
from collections.abc import Callable, Mapping

import pandas as pd

from fd2lib.show.cost_text import span
from fd2lib.show.costs import BY, COMPARED, MEASURES, PLACE, break_even
from fd2lib.show.frames import Html, sentences
from fd2lib.show.style import method_title
from fd2lib.show.tables import START_TITLES, fixed_and_varying, html_table

_UNITS = {"images": "thousand images through networks", "seconds": "seconds", "peak_mib": "peak memory, MiB"}


def costs_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.show.costs` as tables; columns with one value throughout stand above each."""
    numbers = [name for name in table if name.split("_", 1)[-1] in MEASURES]
    units = {name.split("_", 1)[1] for name in numbers}
    shown = table.assign(**{name: table[name] / 1000 for name in numbers if name.endswith("_images")})
    titles = {name: name.split("_", 1)[0] for name in numbers}
    lacking = "a dash: not measured" if table[numbers].isna().any(axis=None) else ""
    caption = "; ".join(filter(None, [*(_UNITS[unit] for unit in units), lacking]))
    return _tables(shown, {**titles, "n": "n (students)"}, [*numbers, "n"], lambda _: caption)


def bytes_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.show.stored_bytes` as tables."""
    shown = table.assign(
        ratio=[f"{ratio:.2f}" if ratio else "–" for ratio in table["ratio"]],
        interval=[
            "one seed" if low != low else f"{low:.1f} to {high:.1f}".replace("-", "−")
            for low, high in zip(table["low"], table["high"], strict=True)
        ],
    )
    titles = {
        "images": "images, KiB per class",
        "labels": "labels, KiB per class",
        "ratio": "labels ÷ images",
        "mean": "mean top-1, %",
    }
    return _tables(shown, titles, ["images", "labels", "ratio", "mean", "interval", "n"])


def break_even_table(rows: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.show.break_even` as tables: numbers of students, counted in images and in seconds."""
    images, seconds = (break_even(rows, unit) for unit in ("images", "seconds"))
    timed = seconds.groupby(BY, sort=False)["students"].apply(_several).rename("by_seconds").reset_index()
    shown = images.merge(timed, on=BY, how="left")
    shown["by_images"] = [count_words(value) for value in shown["students"]]
    shown[["once", "each", "whole"]] /= 1000
    titles = {
        "once": "made once",
        "each": "each student",
        "by_images": "pays off, by images",
        "by_seconds": "pays off, by seconds",
        "mean": "mean top-1, %",
    }

    def whole(part: pd.DataFrame) -> str:
        work, reached = (span(part[name].min(), part[name].max()) for name in ("whole", "whole_mean"))
        return f"thousand images through networks; each student on the whole set {work}, mean top-1 {reached} %"

    return _tables(shown, titles, ["once", "each", "by_images", "by_seconds", "mean"], whole)


def store_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.show.without_store` as tables."""
    shown = table.assign(
        pays=[count_words(value) for value in table["students"]], again_images=table["again_images"] / 1000
    )
    titles = {
        "labels": "labels, KiB",
        "teachers": "teachers, KiB",
        "again_images": "again, thousand images",
        "again_seconds": "again, s",
        "pays": "pays off, by images",
    }
    caption = "labels not stored, teachers kept instead, labels made again for each student"
    return _tables(shown, titles, ["labels", "teachers", "again_images", "again_seconds", "pays"], lambda _: caption)


def published_table(table: pd.DataFrame) -> Html:
    """Return :func:`fd2lib.show.published_labels` as a table."""
    titles = {
        "formula": "labels by formula, MiB",
        "release": "labels, the release, MiB",
        "logit_bytes": "release, bytes per logit",
        "pixels": "images' pixels, MiB",
        "teacher": "teacher, MiB",
    }
    return html_table(table, "paper scale, by formula; the release's sizes are its own", titles)


def count_words(students: float) -> str:
    """Return a number of students as a person writes it: ``student 12 on``, ``never``, or a dash."""
    if students != students:
        return "–"
    return "never" if math.isinf(students) else f"student {students:,.0f} on"


def _several(students: pd.Series) -> str:
    """One word for each device; most often there is one."""
    return "; ".join(dict.fromkeys(count_words(value) for value in students))


def _tables(
    table: pd.DataFrame,
    titles: Mapping[str, str],
    numbers: list[str],
    caption: Callable[[pd.DataFrame], str] = lambda _: "",
) -> Html:
    """One table for each scale and set of images, its caption and fixed settings above it."""
    if table.empty:
        return sentences("There is no such row.")
    parts = (part for _, part in table.groupby(PLACE, sort=False))
    return Html("<br>".join(_table(part, titles, numbers, caption(part)) for part in parts))


def _table(part: pd.DataFrame, titles: Mapping[str, str], numbers: list[str], caption: str) -> Html:
    shown = part.assign(
        method=[method_title(name) for name in part["method"]],
        ipc=["all" if ipc == 0 else str(ipc) for ipc in part["ipc"]],
    )
    if "start" in shown:
        shown["start"] = [START_TITLES.get(name, name) for name in part["start"]]
    keys = [name for name in dict.fromkeys([*COMPARED, "device", *BY]) if name in shown]
    others = [name for name in keys if name != "start"]
    if not shown.duplicated(others).any():  # every method here has one start, which its name implies
        keys = others
    fixed, varying = fixed_and_varying(shown[keys])
    return html_table(shown[[*varying, *numbers]], "; ".join(filter(None, [caption, *fixed])), titles)
