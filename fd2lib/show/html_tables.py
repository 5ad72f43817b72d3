"""The writer of tables: plain HTML that a phone can scroll, one for each scale and set of images."""

import html
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from fd2lib.analyse import Interval, records
from fd2lib.analyse.costs import BY
from fd2lib.analyse.learned import MEASURED
from fd2lib.analyse.reading import GROUP, PLACE
from fd2lib.show.frames import Html, sentences
from fd2lib.show.titles import CAPTIONS, COLUMNS, SIGNED, column_title, titled, word

_EDGE = "padding:.3em .5em;border-bottom:1px solid #ccd3d8;"
# Columns whose words stay on one line, and those that must not be squeezed, em.
_WHOLE = {"start", "method", "verdict", "effect", "set", "page", "by_images", "by_seconds", "pays"}
_WIDE = {"difference": 8, "arm": 8, "what": 8, "claim": 9, "how": 14}


def html_table(
    rows: pd.DataFrame,
    caption: str = "",
    titles: Mapping[str, str] | None = None,
    *,
    digits: int = 1,
    signed: Collection[str] = (),
) -> Html:
    """Return a table as plain HTML: numbers and intervals right-aligned, scrolling sideways where it is too wide.

    Texts are escaped but for markup (:class:`Html`), an unknown number is a dash, floats and intervals have ``digits``,
    and intervals of the columns ``signed`` a sign. Columns without one of ``titles`` are called as by
    :func:`fd2lib.show.titles.column_title`.
    """
    names = [str(name) for name in rows]
    shown = [[cell_text(value, digits, name in signed) for name, value in row.items()] for row in records(rows)]
    numeric = [name for name in names if pd.api.types.is_numeric_dtype(rows[name]) or intervals_in(rows[name])]

    def line(tag: str, texts: Sequence[str]) -> str:
        cells = []
        for name, text in zip(names, texts, strict=True):
            kind = tag if text else "td"  # a heading without words would be announced, and head nothing
            room = _room(name, name in numeric, tag)
            cells.append(f'<{kind} style="{_EDGE}{room}">{_escaped(text)}</{kind}>')
        return f"<tr>{''.join(cells)}</tr>"

    head = line("th", [(titles or {}).get(name, column_title(name)) for name in names])
    above = f'<p style="margin:.8em 0 .3em">{html.escape(caption)}</p>' if caption else ""
    return Html(
        f'{above}<div style="overflow-x:auto;max-width:100%" tabindex="0" role="group" '
        f'aria-label="{html.escape(caption or "table")}"><table style="border-collapse:collapse;font-size:.92em">'
        f"<thead>{head}</thead><tbody>{''.join(line('td', texts) for texts in shown)}</tbody></table></div>"
    )


def interval_column(table: pd.DataFrame) -> pd.Series:
    """Return the intervals that stand in a table's ``mean, low, high, n``, as one column for :func:`html_table`."""
    return pd.Series([Interval.of(row) for row in records(table)], table.index, dtype=object)


def _escaped(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text)


def intervals_in(values: pd.Series) -> list[Interval]:
    """Return the intervals among the values of a column."""
    return [value for value in values if isinstance(value, Interval)]


def _room(column: str, right: bool, tag: str) -> str:
    whole = tag == "td" and (right or column in _WHOLE)
    width = "white-space:nowrap;" if whole else f"min-width:{_WIDE[column]}em;" if column in _WIDE else ""
    return f"{width}text-align:{'right' if right else 'left'}"


def cell_text(value: Any, digits: int = 1, signed: bool = False) -> str:
    """Return what stands in a cell: of an interval a text that a phone may break."""
    if isinstance(value, Html):
        return value
    if isinstance(value, Interval):  # kept on one line by its cell, but on a phone, where it may break
        return value.text(signed, digits).replace("\N{NO-BREAK SPACE}", " ")
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def grouped_tables(
    table: pd.DataFrame,
    kind: str,
    caption: str = "",
    digits: int = 1,
    below: Callable[[pd.DataFrame], Html] | None = None,
) -> Html:
    """Return one table for each scale and set of images, so that none mixes what must not be compared.

    Columns that say what a row is of and hold one value throughout move into the caption, so that what varies is what
    is seen; ``mean, low, high, n`` become one column of intervals. What kinds there are, such as ``timings``, and their
    numbers, stands in ``titles.toml``. ``below`` makes what follows each table.
    """
    if table.empty:
        return sentences("There is no such row.")
    if {"mean", "low", "high", "n"} <= set(table):
        table = table.assign(mean=interval_column(table))
    made = []
    for title, part in titled(table, MEASURED):
        keys = [name for name in _KEYS if name in part and name not in COLUMNS[kind]]
        varying = [name for name in keys if part[name].nunique() > 1 or name in ("method", "map")]
        fixed = [(column_title(name), word(name, part[name].iloc[0])) for name in keys if name not in varying]
        others = [name for name in varying if name != "start"]
        if "method" in others and not part.duplicated(others).any():  # each has one start, which its name implies
            varying = others
        words = [
            title,
            caption or CAPTIONS.get(kind, ""),
            *(f"{name} {value}".strip() for name, value in fixed if value),
        ]
        shown = part.assign(**{name: [word(name, value) for value in part[name]] for name in varying})
        shown = shown[[*varying, *(name for name in COLUMNS[kind] if name in part)]]
        made.append(
            html_table(shown, "; ".join(filter(None, words)), COLUMNS[kind], digits=digits, signed=SIGNED.get(kind, []))
        )
        made += [below(part)] if below else []
    return Html("<br>".join(made))


# Columns that say what a row is of, in the order of tables.
_KEYS = list(dict.fromkeys([
    *("study", "difference", "over", "device", "teacher_kind", "map", "what", "space", "masks", "judge"),
    *(name for name in (*GROUP, *BY) if name not in PLACE),
]))  # fmt: skip
