"""The table of every trained student: to sort, to filter and to choose columns of, without a network."""

from pathlib import Path

import pandas as pd

from fd2lib.analyse import records
from fd2lib.ground import SettingError
from fd2lib.show.frames import Html
from fd2lib.show.tables import html_table
from fd2lib.show.titles import COLUMNS, place_title, word

FIRST = ("scale", "place", "method", "start", "ipc", "seed", "last_top1", "known", "test_images", "file")
NARROW = ("place", "method", "ipc", "last_top1")  # what a phone shows of these
_WORDS = {
    "info": "Rows _START_ to _END_ of _TOTAL_",
    "infoEmpty": "No row fits",
    "infoFiltered": "(_MAX_ in all)",
    "zeroRecords": "No row fits; change the search or a column's list.",
    "search": "Search all columns:",
}


def everyone_table(rows: pd.DataFrame, name: str = "students", interactive: bool = False) -> Html:
    """Return rows of :func:`fd2lib.analyse.load_students` as a table that a reader sorts, filters and searches.

    Columns that are not shown first can be chosen. The script that does this is the book's (see ``book/_ext/``); with
    ``interactive``, for a notebook that someone is working in, it is put into the notebook. Without the package
    ``itables`` it is a plain table of all rows. ``name`` is the table's own on its page.
    """
    titles = COLUMNS["everyone"]
    shown = _shown(rows)[list(titles)]
    columns = shown.rename(columns=titles)
    try:
        import itables
    except ImportError:
        return html_table(shown[list(FIRST)], "", titles)
    if interactive:
        itables.init_notebook_mode(all_interactive=False, connected=False)
    hidden = [place for place, column in enumerate(shown) if column not in FIRST]
    wide = [place for place, column in enumerate(shown) if column in set(FIRST) - set(NARROW)]
    fold = f"function () {{ if (matchMedia('(max-width: 600px)').matches) this.api().columns({wide}).visible(false); }}"
    with pd.option_context("display.float_format", "{:.1f}".format):
        text = itables.to_html_datatable(
            columns,
            table_id=name,
            connected=False,
            maxBytes=0,
            pageLength=15,
            classes="display compact",
            style="width:100%",
            text_in_header_can_be_selected=False,
            columnDefs=[{"targets": hidden, "visible": False}],
            columnControl=[["searchList"]],
            layout={"topStart": "buttons", "topEnd": "search", "bottomStart": "info", "bottomEnd": "paging"},
            buttons=[{"extend": "colvis", "text": "Columns"}],
            language=_WORDS,
            initComplete=itables.JavascriptFunction(fold),
        )
    return Html(f'<div class="fd2-everyone" style="overflow-x:auto;max-width:100%">{text}</div>')


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """What a person reads: places and methods in words, accuracies with one digit, the interval's ends."""
    place = ["image_set", "dataset", "classes", "image_size"]
    return rows.assign(
        place=[place_title(row) for row in records(rows[place])],
        method=[word("method", value) for value in rows["method"]],
        start=[word("start", value) for value in rows["start"]],
        known=[f"{one.low:.1f} to {one.high:.1f}" for one in rows["interval"]],
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
        raise SettingError("no package writes Parquet files; install the book's, as pip install 'fd2lib[book]'.") from error
    return files
