"""The table of every trained student: to sort, to filter, to choose columns of, and to take away as files."""

from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.analyse import records
from fd2lib.ground import SettingError
from fd2lib.show.frames import Html
from fd2lib.show.html_tables import html_table
from fd2lib.show.titles import COLUMNS, place_title, word

FIRST = ("method", "scale", "place", "ipc", "last_top1", "known", "start", "seed")  # others can be chosen
NARROW = ("method", "place", "ipc", "last_top1")  # and on a phone
_WORDS = {
    "info": "Rows _START_ to _END_ of _TOTAL_",
    "infoEmpty": "No row",
    "infoFiltered": "(of _MAX_ in all)",
    "zeroRecords": "No row fits; change the search or a column's list.",
    "search": "Search:",
}


def everyone_table(rows: pd.DataFrame, name: str = "students", interactive: bool = False) -> Html:
    """Return rows of :func:`fd2lib.analyse.load_students` as a table that a reader sorts, filters and searches.

    The script that does this is the book's (``book/_ext/sortable.py``); with ``interactive``, for a notebook that
    someone is working in, it is put into the notebook. Without the package ``itables`` it is a plain table of the
    columns that are shown first. ``name`` is the table's own on its page.
    """
    titles = COLUMNS["everyone"]
    shown = _shown(rows)[list(titles)]
    try:
        import itables
    except ImportError:
        return html_table(shown[list(FIRST)], "", titles)
    if interactive:
        itables.init_notebook_mode(all_interactive=False, connected=False)
    wide = itables.JavascriptCode("!matchMedia('(max-width: 600px)').matches")
    visible = {name: name in FIRST for name in titles} | {name: wide for name in FIRST if name not in NARROW}
    with pd.option_context("display.float_format", "{:.1f}".format):
        text = itables.to_html_datatable(
            shown.rename(columns=titles),
            table_id=name,
            connected=False,
            maxBytes=0,
            display_logo_when_loading=False,  # a link without words
            pageLength=15,
            classes="display compact nowrap",
            style="width:100%",
            css=".fd2-everyone th { white-space: normal }",
            text_in_header_can_be_selected=False,
            columnDefs=[
                {"targets": place, "visible": visible[column], "columnControl": [_list(titles[column])]}
                for place, column in enumerate(titles)
            ],
            layout={"topStart": "buttons", "topEnd": "search", "bottomStart": "info", "bottomEnd": "paging"},
            buttons=[{"extend": "colvis", "text": "Columns"}],
            language=_WORDS,
        )
    return Html(f'<div class="fd2-everyone" style="overflow-x:auto;max-width:100%;font-size:.8em">{text}</div>')


def _list(title: str) -> dict[str, Any]:
    """A column's values to choose from, in the second row of the head, so that columns stay narrow."""
    return {"target": 1, "content": [{"extend": "dropdown", "text": f"choose: {title}", "content": ["searchList"]}]}


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What a person reads: images, methods and starts in words, and the ends of the interval."""
    named = rows[["image_set", "dataset"]]
    return rows.assign(
        place=[f"{place_title(row)} {part}".strip() for row, part in zip(records(named), rows["classes"], strict=True)],
        method=[word("method", value) for value in rows["method"]],
        start=[word("start", value) for value in rows["start"]],
        known=[f"{one.low:.1f} to {one.high:.1f} ({one.n})" if one.n else "–" for one in rows["interval"]],
    )


def write_everyone(rows: pd.DataFrame, folder: str | Path, name: str = "students") -> list[Path]:
    """Write rows of :func:`fd2lib.analyse.load_students`, all columns, as CSV and as Parquet; return both files.

    In the place of the interval stand its ends, ``low`` and ``high``.

    Raises:
        SettingError: there is no package that writes Parquet.
    """
    ends = {end: [getattr(one, end) for one in rows["interval"]] for end in ("low", "high")}
    whole = rows.drop(columns="interval").assign(**ends)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.csv", folder / f"{name}.parquet"]
    whole.to_csv(files[0], index=False)
    try:
        whole.to_parquet(files[1], index=False)
    except ImportError as error:
        raise SettingError(
            "no package here writes Parquet files; install pyarrow, as requirements.txt does."
        ) from error
    return files
