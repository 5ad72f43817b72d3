"""How long steps take: rows of ``bench.csv`` and ``profile.csv``, beside the goals that ``bench.toml`` sets."""

from pathlib import Path

import pandas as pd

from fd2lib.analyse.estimates import PEAKS
from fd2lib.analyse.reading import load_rows, parts, records
from fd2lib.measure import bench_cases
from fd2lib.record import BENCH, PROFILE

MACHINE = ["device", "threads", "clock"]  # what no table of times mixes
GROWING = {
    "batch": "images of a batch",
    "classes": "classes, K",
    "maps": "attention maps, M",
    "earlier": "earlier images of a class",
}


def load_speed(results: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of ``bench.csv`` and of ``profile.csv`` in a folder; a missing file has none.

    The first have ``set``, ``without``, ``goal``, ``before`` and ``release`` of their case, or NaN; cases that are no
    longer declared are left out. The second have ``more_ms``, what a step spends above the bare passes.
    """
    rows = load_rows(Path(results) / "bench.csv", BENCH, missing_ok=True)
    cases, numbers = bench_cases(), ("goal", "before", "release")
    declared = rows["case"].map({name: place for place, name in enumerate(cases)})
    rows = rows.loc[declared.dropna().sort_values(kind="stable").index].reset_index(drop=True)
    told = {name: [getattr(cases[case], name) for case in rows["case"]] for name in ("set", "without", *numbers)}
    profile = load_rows(Path(results) / "profile.csv", PROFILE, missing_ok=True)
    profile["more_ms"] = profile["full_ms"] - profile["bare_ms"]
    return rows.assign(**told).astype(dict.fromkeys(numbers, float)), profile


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


def speed_spans(rows: pd.DataFrame, estimates: pd.DataFrame, dataset: str = "cub200") -> pd.DataFrame:
    """Return what times come to, each as ``low, high``.

    They are the ratios of each stage's step to its bare passes over the cases that have a goal, by stage and, as
    ``steps``, of all but the feeding of batches; those of the ablation, by case; and by GPU the minutes of the paper's
    rows of a data set (see :func:`fd2lib.analyse.paper_estimates`).
    """
    aimed = rows[(rows["set"] == "table") & rows["goal"].notna()]
    found = {str(key["stage"]): part["ratio"] for key, part in parts(aimed, ["stage"])}
    found["steps"] = aimed.loc[aimed["stage"] != "feeding", "ratio"]
    less = rows[rows["set"] == "ablation"]
    found |= {key["case"].replace("-", "_"): part["ratio"] for key, part in parts(less, ["case"])}
    own = estimates[estimates["dataset"] == dataset]
    found |= {name.replace(" ", "_"): own[name] for name in PEAKS}
    ends = {name: (values.min(), values.max()) for name, values in found.items()}
    return pd.DataFrame.from_dict(ends, orient="index", columns=["low", "high"])


def waits(results: str | Path) -> pd.DataFrame:
    """Return what the rehearsal on a second device counted, ``rehearsal.csv``: the most over a stage's cases."""
    counts = pd.read_csv(Path(results) / "rehearsal.csv")
    most = ["reads_per_step", "copies_per_step", "reads_per_unit", "copies_per_unit", "checkpoint_reads_per_unit"]
    grouped = counts.groupby("stage", sort=False)
    return grouped[most].max().assign(cases=grouped.size()).reset_index()[["stage", "cases", *most]]


def whole_run(results: str | Path) -> pd.DataFrame:
    """Return ``whole_run.csv``: mean processor minutes of each stage of one seed, and of all, by version; n rows."""
    by_version = pd.read_csv(Path(results) / "whole_run.csv", dtype={"version": str}).groupby("version", sort=False)
    minutes = by_version.mean().assign(n=by_version.size()).reset_index()
    return minutes.assign(total_minutes=minutes.filter(like="_minutes").sum(axis=1))


def time_shares(profile: pd.DataFrame, minutes: pd.DataFrame) -> pd.Series:
    """Return where time goes, as numbers by name.

    In % the ``optimiser``'s share of a student's step and that of ``copies`` beyond the bare passes', and each stage's
    of a whole seed; ``minutes`` of that (the last row of :func:`whole_run`) and ``minutes_before`` (its first); and
    ``matching_ms``, what BatchNorm and its statistics take of a distillation step beyond the bare passes.
    """

    def of(case: str, operation: str, column: str) -> float:
        lines = profile[(profile["case"] == case) & (profile["operation"] == operation)]
        return float(lines[column].mean())

    student, seed = profile.loc[profile["case"] == "student-resnet18", "full_ms"].sum(), minutes.iloc[-1]
    found = {
        "optimiser": of("student-resnet18", "the optimiser's step", "share"),
        "copies": 100 * of("student-resnet18", "copies, indices and new memory", "more_ms") / student,
        "matching_ms": of("distill-resnet18-k200-m8", "BatchNorm and its statistics", "more_ms"),
        "minutes": seed["total_minutes"],
        "minutes_before": minutes["total_minutes"].iloc[0],
    }
    stages = {"teacher": "pretrain", "images": "distill", "labels": "relabel", "student": "evaluate"}
    found |= {name: 100 * seed[f"{stage}_minutes"] / seed["total_minutes"] for name, stage in stages.items()}
    return pd.Series(found, dtype=float)
