"""All about speed that only a GPU can tell, by one command of at most eight minutes; one CSV of rows.

python benchmarks/gpu.py --out gpu.csv

Each stage's own step beside the bare passes of its network at 224, 96 and 64 px, in bf16 and fp32, with peak memory and
with how often a step makes the processor wait for the GPU, and where in the code; and the bare passes with channels
last beside channels first. What the time does not suffice for is left out and named. Without a GPU it says so and
measures on the CPU, where `--quick` (small networks, a minute) is what makes sense: it shows that everything runs.
"""

import argparse
import contextlib
import csv
import dataclasses
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from fd2lib.ground import SettingError
from fd2lib.measure import Bench, bench_cases
from fd2lib.measure.cases import Case, make_teacher
from fd2lib.measure.steps import Work
from fd2lib.record import BENCH
from fd2lib.stages.computing import autocast, deterministic

COLUMNS = [*BENCH.columns, "waits", "where"]


def cases(quick: bool) -> list[Case]:
    """What to measure, the most wanted first."""
    known, found = bench_cases(), []
    tiny = {"backbone": "convnet4", "classes": 4, "batch": 4, "maps": 2} if quick else {}
    names = [name for name, case in known.items() if case.set == "gpu"]
    for size in (32,) if quick else (224, 96, 64):
        for precision in ("bf16", "fp32"):
            for name in names:
                title = name.removeprefix("gpu-").removesuffix("-bf16")
                settings = {"image_size": size, "precision": precision} | tiny
                found.append(dataclasses.replace(known[name], name=f"{title}-{size}-{precision}", **settings))
    return found


def compiled_cases(plain: list[Case]) -> list[Case]:
    """Half batches through compiled networks: kernels that are started one by one are what a GPU waits for."""
    halves = [case for case in plain if case.stage in ("relabel", "evaluate") and case.precision == "bf16"]
    return [
        dataclasses.replace(case, name=f"{case.name}-{how}", compiled=how)
        for how in ("graphs", "kernels")
        for case in halves
    ]


def waits(work: Work, device: torch.device) -> dict[str, Any]:
    """How often a step makes the processor wait for a GPU, and the lines of code that do, most often first."""
    if device.type != "cuda":
        return {}
    work.full()  # what is done once, such as loading kernels, may wait
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work.full()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    lines = Counter(f"{Path(one.filename).name}:{one.lineno}" for one in caught if "synchroniz" in str(one.message))
    told = " ".join(f"{line} ({count / work.steps:.2g})" for line, count in lines.most_common(5))
    return {"waits": round(sum(lines.values()) / work.steps, 2), "where": told}


def step_row(bench: Bench, case: Case) -> dict[str, Any]:
    """A stage's own step beside its bare passes, and how often it waits."""
    (row,) = bench.rows([case], progress=False)
    with bench.prepared(case) as work:
        return row | waits(work, bench.device)


def layout_row(bench: Bench, case: Case) -> dict[str, Any]:
    """The bare passes with channels first (full) beside channels last (bare): what the layout is worth."""
    shape = (case.batch, 3, case.image_size, case.image_size)
    networks = [make_teacher(case).backbone.to(bench.device).train() for _ in range(2)]
    images = [torch.rand(shape, device=bench.device) for _ in range(2)]
    networks[1], images[1] = (one[1].to(memory_format=torch.channels_last) for one in (networks, images))
    steps = max(1, bench.images // case.batch)

    def passes(side: int) -> None:
        for _ in range(steps):
            with autocast(bench.device, case.precision):
                logits = networks[side](images[side]).logits
            networks[side].zero_grad(set_to_none=True)
            torch.autograd.backward(logits.float().sum())

    with deterministic(bench.threads):
        work = Work(lambda: passes(0), lambda: passes(1), steps, case.batch)
        return bench.row(case, work)


def rows(bench: Bench, quick: bool, until: float) -> Iterator[dict[str, Any]]:
    """Measure as much as there is time for; a case that memory or compiler do not allow is told and passed over."""
    plain = cases(quick)
    trained = [case for case in plain if case.stage == "pretrain"]
    todo = [(step_row, case) for case in plain]
    todo += [(layout_row, dataclasses.replace(case, stage="layout", name=f"layout-{case.name}")) for case in trained]
    todo += [(step_row, case) for case in compiled_cases(plain)]
    longest = 0.0
    for number, (measure, case) in enumerate(todo):
        if time.monotonic() + longest > until:
            print("No time is left for", ", ".join(case.name for _, case in todo[number:]), flush=True)
            return
        start = time.monotonic()
        try:
            yield measure(bench, case)
        except (torch.OutOfMemoryError, SettingError) as error:
            print(f"{case.name}: not measured ({error}).", flush=True)
        longest = max(longest, time.monotonic() - start)


def main(words: list[str] | None = None) -> None:
    """Measure, write each row at once, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--minutes", type=float, default=8.0, help="when to stop")
    parser.add_argument("--quick", action="store_true", help="small networks and images, twice each")
    parser.add_argument("--out", default="gpu.csv", help="the table to write")
    options = parser.parse_args(words)
    until, bench = time.monotonic() + 60 * options.minutes, Bench.on(options.device, quick=options.quick)
    if bench.device.type == "cpu":
        print("PyTorch sees no GPU, or was not asked for it: these are the CPU's times, and say nothing of a GPU.")
    with (
        open(options.out, "w", encoding="utf-8", newline="") as stream,
        contextlib.closing(rows(bench, options.quick, until)) as measured,
    ):
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in measured:
            writer.writerow(row)
            stream.flush()
            print(
                f"{row['case']}: {row['full_ms']:.2f} ms, bare {row['bare_ms']:.2f} ms, ratio {row['ratio']:.3f}, "
                f"{row['images_per_second']:.0f} images/s, {row['peak_mib']} MiB, waits {row.get('waits', '–')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
