"""The paper's main table, and what was measured here set beside it, cell by cell."""

from pathlib import Path

import pandas as pd

from fd2lib.analyse.reading import GROUP, PLACE, parts, with_variants
from fd2lib.analyse.statistics import NUMBERS, interval
from fd2lib.ground import ArtefactError, list_methods, load_recipe

PAPER_SCALE = "paper"
CELL = ["dataset", "student", "ipc", "method"]  # of the paper's table
MATCH = ["scale", *CELL]  # what a number of the paper and one of ours must agree in
# What a reader has to know of a number measured here, besides its cell.
BESIDE = [*(name for name in PLACE if name not in MATCH), "student_init", "start"]


def load_paper(path: str | Path) -> pd.DataFrame:
    """Return the paper's table, one row a cell, in its order.

    Returns:
        ``dataset, student, ipc, method`` (as recipes name it), ``paper`` (top-1, %) and ``remark``: empty, or
        ``disputed``, whose meaning ``results/SCHEMA.md`` tells.

    Raises:
        ArtefactError: the file is missing, or a method is none that recipes know.
    """
    if not Path(path).is_file():
        raise ArtefactError(f"no file {path}; expected the paper's table, results/paper.csv of this project.")
    table = pd.read_csv(path, keep_default_na=False).rename(columns={"top1_percent": "paper"})
    names = {title.replace("²", "2"): name for name, title in list_methods().items()}
    if unknown := set(table["method"]) - names.keys():
        raise ArtefactError(f"{path} has the methods {sorted(unknown)}; expected some of {', '.join(names)}.")
    return table.assign(method=table["method"].map(names))


def beside_paper(published: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of :func:`load_paper` with what rows say of each, and rows that have no such cell beside them.

    A cell is a scale, data set, network of the student, images per class and method. The paper's are all of the paper's
    scale, so that a student of another scale or network stands in a line of its own and never in one with the paper's
    number. Only the paper's data sets and methods count, each method with its own kind of teacher, soft labels and the
    settings that most of its rows have.

    Args:
        published: from :func:`load_paper`.
        rows: from :func:`fd2lib.analyse.load_rows`.

    Returns:
        The columns :data:`MATCH`; ``paper`` (NaN where the paper has no such cell) and ``remark``; :data:`BESIDE` as
        text (empty where nothing was measured); and ``mean, low, high, n`` of ours, a 95 % t-interval over seeds (``n``
        is 0 and the others NaN where nothing was measured).
    """
    found = [
        {name: key[name] for name in [*MATCH, *BESIDE]} | interval(part["last_top1"])._asdict()
        for key, part in parts(_comparable(published, rows), GROUP)
    ]
    ours = pd.DataFrame(found, columns=[*MATCH, *BESIDE, *NUMBERS]).astype(dict.fromkeys(BESIDE, str))
    table = published.assign(scale=PAPER_SCALE).merge(ours, how="outer", on=MATCH)
    table = table.fillna({"remark": "", "n": 0, **dict.fromkeys(BESIDE, "")}).astype({"n": int})
    orders = {name: {value: place for place, value in enumerate(published[name].unique())} for name in CELL}
    orders["scale"] = {PAPER_SCALE: 0}
    return table[[*MATCH, "paper", "remark", *BESIDE, *NUMBERS]].sort_values(
        ["dataset", "ipc", "method", "scale", "student"],
        key=lambda column: column.map(lambda value: orders[str(column.name)].get(value, len(table))),  # ours come last
        kind="stable",
        ignore_index=True,
    )


def _comparable(published: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the paper's methods as the paper has them, on its data sets."""
    dataset, methods = published["dataset"].iloc[0], published["method"].unique()
    kinds = {name: load_recipe(PAPER_SCALE, dataset=dataset, method=name).teacher_kind for name in methods}
    kind = rows["method"].map(kinds)
    images = (rows["teacher_kind"] == kind) | (rows["teacher_kind"] == "")  # empty where no teacher made them
    own = images & (rows["label_teacher_kind"] == kind) & (rows["labels"] == "soft")
    kept = with_variants(rows[own & rows["dataset"].isin(published["dataset"])].reset_index(drop=True))
    return kept[kept["variant"] == ""]
