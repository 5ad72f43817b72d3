"""Benchmarks: every kind of case runs the stage's own steps and gives a row; how long anything takes is not tested."""

import csv
import dataclasses
import runpy
from pathlib import Path

import pytest
import torch

from fd2lib import measure
from fd2lib.ground import SettingError
from fd2lib.measure.bench import Bench, bench_cases, choose_cases
from fd2lib.measure.cases import Case
from fd2lib.measure.profile import kind_of, profile_rows
from fd2lib.record import BENCH, PROFILE, put_rows, read_rows

ONCE = Bench(torch.device("cpu"), "processor", threads=1, repeats=1, images=4)


def tiny(of: str, **other: object) -> Case:
    """A case of the table on a network and images of a size for tests."""
    small = {"backbone": "convnet4", "image_size": 16, "classes": 4, "maps": 2, "batch": 4}
    return dataclasses.replace(bench_cases()[of], **small | other)


@pytest.mark.parametrize(
    "case",
    [
        tiny("distill-resnet18-k200-m8"),
        tiny("distill-resnet18-k200-m8", maps=0, earlier=0, name="without head"),
        tiny("pretrain-resnet18-batch4"),
        tiny("relabel-resnet18"),
        tiny("student-resnet18", precision="bf16"),
        tiny("feeding-resnet18"),
        tiny("decoding-folder", batch=12),
    ],
    ids=lambda case: case.name,
)
def test_each_kind_of_case_gives_a_row(case, tmp_path):
    (row,) = ONCE.rows([case], progress=False)
    assert row["ratio"] > 0 and row["full_ms"] > 0 and row["images_per_second"] > 0
    put_rows([row], tmp_path / "bench.csv", BENCH)
    put_rows([{**row, "ratio": 1.5}], tmp_path / "bench.csv", BENCH)  # the same case on the same machine
    (read,) = read_rows(tmp_path / "bench.csv", BENCH)
    assert read["ratio"] == "1.5" and read["case"] == case.name
    assert f"ratio {row['ratio']:.3f}" in measure.bench_line(row)


def test_a_distillation_step_is_compared_with_earlier_images(monkeypatch):
    """The dearest step is measured, not one in which a term does not apply."""
    seen = []

    def optimise(start, earlier, objectives, *others):
        seen.append(objectives[0].earlier)
        raise StopIteration

    monkeypatch.setattr("fd2lib.measure.steps.optimise", optimise)
    with ONCE.prepared(tiny("distill-resnet18-k200-m8", earlier=3)) as work, pytest.raises(StopIteration):
        work.full()
    assert seen[0].shape[:3] == (4, 3, 2)  # images, earlier ones, maps


def test_a_profile_sorts_all_time_of_a_step(tmp_path):
    rows = profile_rows(ONCE, tiny("distill-resnet18-k200-m8"))
    put_rows(rows, tmp_path / "profile.csv", PROFILE)
    assert sum(row["share"] for row in rows) == pytest.approx(100, abs=0.1)
    times = {row["operation"]: row["full_ms"] for row in rows}
    assert times["convolution, backwards"] > 0 and times["matrix products"] > 0


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("aten::convolution_backward", "convolution, backwards"),
        ("aten::mkldnn_convolution", "convolution, forwards"),
        ("aten::native_batch_norm_backward", "BatchNorm and its statistics"),
        ("aten::linalg_vector_norm", "norms, sums and other reductions"),
        ("aten::mul_", "arithmetic, element by element"),
        ("SomethingNew", "calls, autograd and the rest"),
    ],
)
def test_operators_are_sorted(operator, kind):
    assert kind_of(operator) == kind


def test_the_measurement_of_a_gpu_runs_without_one_and_says_so(tmp_path, capsys):
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    program = runpy.run_path(str(path))
    program["main"](["--quick", "--device", "cpu", "--minutes", "0.02", "--out", str(tmp_path / "gpu.csv")])
    told = capsys.readouterr().out
    assert "say nothing of a GPU" in told and "No time is left for" in told and "layout-" in told
    with open(tmp_path / "gpu.csv", newline="") as stream:
        (row, *_) = csv.DictReader(stream)
    assert row["case"] == "distill-resnet18-32-bf16" and float(row["ratio"]) > 0 and row["waits"] == ""
    assert {case.compiled for case in program["compiled_cases"](program["cases"](False))} == {"graphs", "kernels"}
    layout = program["layout_row"](ONCE, tiny("pretrain-resnet18-batch4", stage="layout"))
    assert layout["stage"] == "layout" and layout["ratio"] > 0


def test_cases_are_chosen_by_name_or_set():
    assert [case.name for case in choose_cases(["relabel-resnet18"])] == ["relabel-resnet18"]
    assert {case.set for case in choose_cases(["table"])} == {"table"}
    assert len({case.name for case in choose_cases(["growth", "growth-maps-8"])}) == len(choose_cases(["growth"]))
    with pytest.raises(SettingError, match="relabel-resnet18"):
        choose_cases(["relabel-resnet19"])


def test_wrong_ways_to_measure_are_refused():
    with pytest.raises(SettingError, match="clock"):
        Bench.on("cpu", clock="sundial")
    with pytest.raises(SettingError, match="threads is 0"):
        Bench.on("cpu", threads=0)
