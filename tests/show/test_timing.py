"""Tables and figures of times: one for each machine, in words, and a sentence where nothing was measured."""

from pathlib import Path

import pandas as pd
import pytest

from fd2lib import analyse, show
from fd2lib.measure import bench_cases
from fd2lib.record import BENCH
from fd2lib.show.timing import profile_table, speed_table

PAPER = Path(__file__).parents[2] / "results" / "paper.csv"


@pytest.fixture
def speed():
    rows = []
    for case in bench_cases().values():
        known = {name: value for name, value in vars(case).items() if name in BENCH.columns}
        row = dict.fromkeys(BENCH.columns, 1.0) | known | {"case": case.name, "device": "cpu (X)", "clock": "processor"}
        told = {"set": case.set, "without": case.without, "goal": case.goal or float("nan")}
        rows.append(row | told | {"ratio": 1.25, "threads": 1, "before": float("nan"), "release": float("nan")})
    return pd.DataFrame(rows)


def test_a_table_says_what_was_measured_on_what(speed):
    table = speed_table(speed)
    assert "cpu (X), 1 thread, processor time" in table and table.count("<table") == 2
    assert "less in a step: cpu (X)" in table
    assert "distill, resnet18, 64 px, K 200, M 8, batch 50" in table and "student, resnet18" in table
    assert "no head" in table and "without BatchNorm matching and characteristic and similarity" in table
    assert "1.25" in table and "1.08" in table and "growth" not in table
    assert "the release" not in table, "a column without a value"


def test_machines_and_clocks_have_tables_of_their_own(speed):
    other = speed.assign(device="cuda (Y)", clock="wall", threads=2)
    table = speed_table(pd.concat([speed, other], ignore_index=True))
    assert table.count("<table") == 4 and "cuda (Y), 2 threads, elapsed time" in table


def test_growth_has_a_panel_for_each_size(speed):
    figure = show.growth_figure(analyse.growth(speed))
    assert [axes.get_xlabel() for axes in figure.axes if axes.get_visible()] == [
        "images of a batch", "classes, K", "earlier images of a class", "attention maps, M",
    ]  # fmt: skip


def test_a_profile_is_a_table_of_its_case():
    row = {"case": "some-case", "operation": "matrix products", "calls": 3.0, "full_ms": 2.0, "bare_ms": 1.0}
    table = profile_table(pd.DataFrame([row | {"share": 50.0, "more_ms": 1.0, "device": "cpu", "threads": 1}]))
    assert "some-case" in table and "matrix products" in table


def test_without_rows_a_sentence_says_so(speed):
    none = speed.iloc[:0]
    assert all("fd2lib bench" in made for made in (speed_table(none), profile_table(none)))
    assert "fd2lib bench" in show.growth_figure(analyse.growth(none))


def test_estimates_fold_all_sets_but_one():
    table = analyse.paper_estimates(PAPER)
    made = show.estimates_table(table)
    assert made.count("<details") == 2 and made.index("cub200") < made.index("<details")
    assert "H100, min" in made and "FADRM+ + FD²" in made and "estimate" in made
