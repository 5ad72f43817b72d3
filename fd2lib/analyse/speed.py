"""How long steps take: rows of ``bench.csv`` and ``profile.csv``, beside the goals that ``bench.toml`` sets."""

from pathlib import Path

import pandas as pd

from fd2lib.analyse.reading import Rows, load_rows, parts, records
from fd2lib.measure import bench_cases
from fd2lib.record import BENCH, PROFILE

MACHINE = ["device", "threads", "clock"]  # what no table of times mixes
GROWING = {
    "batch": "images of a batch",
    "classes": "classes, K",
    "maps": "attention maps, M",
    "earlier": "earlier images of a class",
}


def load_speed(source: str | Path | Rows) -> pd.DataFrame:
    """Return rows of ``bench.csv`` with ``set``, ``goal``, ``before`` and ``release`` of their case, NaN without one.

    Rows of cases that are no longer declared are left out; a missing file has none.
    """
    rows, cases = load_rows(source, BENCH), bench_cases()
    rows = rows[rows["case"].isin(list(cases))].reset_index(drop=True)
    numbers = ("goal", "before", "release")
    told = {name: [getattr(cases[case], name) for case in rows["case"]] for name in ("set", *numbers)}
    return rows.assign(**told).astype(dict.fromkeys(numbers, float))


def load_profile(source: str | Path | Rows) -> pd.DataFrame:
    """Return rows of ``profile.csv`` with ``more_ms``, what a step spends above the bare passes."""
    rows = load_rows(source, PROFILE)
    return rows.assign(more_ms=rows["full_ms"] - rows["bare_ms"])


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how a distillation step grows with one of its sizes: ``what, value, full_ms, bare_ms, ratio``.

    They are of the machine that has most such rows; ``what`` is a key of :data:`GROWING`.
    """
    grown = rows[rows["set"] == "growth"]
    if grown.empty:
        return pd.DataFrame(columns=["what", "value", "full_ms", "bare_ms", "ratio"])
    machines = grown.groupby(MACHINE, sort=False)
    grown = machines.get_group(machines.size().idxmax())
    found = []
    for row in records(grown):
        what = row["case"].split("-")[1]
        found.append({"what": what, "value": row[what]} | {name: row[name] for name in ("full_ms", "bare_ms", "ratio")})
    return pd.DataFrame(found).sort_values(["what", "value"], kind="stable", ignore_index=True)


def speed_spans(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``low, high`` of the ratios of each stage's step to its bare passes, over the cases that have a goal.

    Its index are the stages that were measured, and ``steps``, all of them but the feeding of batches.
    """
    aimed = rows[(rows["set"] == "table") & rows["goal"].notna()]
    steps = aimed[aimed["stage"] != "feeding"]
    found = {str(key["stage"]): part["ratio"] for key, part in parts(aimed, ["stage"])} | {"steps": steps["ratio"]}
    ends = {name: (ratios.min(), ratios.max()) for name, ratios in found.items()}
    return pd.DataFrame.from_dict(ends, orient="index", columns=["low", "high"])
