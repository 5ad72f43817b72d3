"""Benchmarks: a stage's own step beside the bare passes of its network, timed in turn in one process.

On a CPU that others use as well, the time that the processor gave to this process is what is stable; on a GPU, time on
the wall after everything was done.
"""

import contextlib
import functools
import math
import statistics
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from fd2lib.ground import SettingError, kept_memory, require
from fd2lib.measure.cases import Case
from fd2lib.measure.measured import provenance_columns
from fd2lib.measure.steps import Work, prepare
from fd2lib.record import BENCH, provenance, reset_peak_memory
from fd2lib.stages import resolve_device
from fd2lib.stages.computing import deterministic

CLOCKS = ("auto", "processor", "wall")
_GROWING = ("batch", "classes", "maps", "earlier")


@functools.cache
def declared() -> dict[str, Any]:
    """Return what ``bench.toml`` says."""
    return tomllib.loads(resources.files("fd2lib.measure").joinpath("bench.toml").read_text(encoding="utf-8"))


@functools.cache
def bench_cases() -> dict[str, Case]:
    """Return every case that ``bench.toml`` declares, by name."""
    told = declared()
    given: dict[str, dict[str, Any]] = dict(told["cases"])
    growth = told["growth"]
    for name in _GROWING:
        for value in growth[name]:
            given[f"growth-{name}-{value}"] = growth["base"] | {name: value, "set": "growth"}
    return {name: Case(**{"name": name, **told["defaults"], **fields}) for name, fields in given.items()}


def choose_cases(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names, or of the sets of these names, each once.

    Raises:
        SettingError: there is neither a case nor a set of that name.
    """
    cases = bench_cases()
    sets = list(dict.fromkeys(case.set for case in cases.values()))
    for name in names:
        require("case or set of cases", name, [*sets, *cases])
    return [case for case in cases.values() if case.name in names or case.set in names]


@dataclass(frozen=True)
class Bench:
    """How to measure: where, by which clock, on how many threads, how often.

    One measurement is of at least so many ``images``, so that neither clocks nor what a stage does once count.
    """

    device: torch.device
    clock: str
    threads: int
    repeats: int
    images: int

    @classmethod
    def on(cls, device: str, clock: str = "auto", threads: int = 1, quick: bool = False) -> "Bench":
        """Return how to measure on a device; the clock ``auto`` is the processor's on a CPU, the wall's on a GPU.

        Raises:
            SettingError: no such device or clock, or no thread.
        """
        place = resolve_device(device)
        require("clock", clock, CLOCKS)
        if place.type != "cpu" and clock == "processor":
            raise SettingError("clock is 'processor', which does not see a GPU's work; use wall or auto.")
        if threads < 1:
            raise SettingError(f"threads is {threads}; expected at least 1.")
        own = {"cpu": "processor"}.get(place.type, "wall") if clock == "auto" else clock
        images = (32 if quick else 64) * (1 if place.type == "cpu" else 8)
        return cls(place, own, threads, 2 if quick else 7, images)

    def rows(self, cases: Sequence[Case], progress: bool = True) -> Iterator[dict[str, Any]]:
        """Measure cases one after the other, yielding each one's row of ``bench.csv`` as soon as it is there."""
        with tqdm(total=len(cases) * (self.repeats + 1), desc="bench", disable=not progress) as bar:
            for case in cases:
                bar.set_postfix_str(case.name)
                with self.prepared(case) as work:
                    yield self.row(case, work, bar)

    @contextlib.contextmanager
    def prepared(self, case: Case) -> Iterator[Work]:
        """Give the work of a case, under the settings that stages run with; what it needed is gone afterwards."""
        steps = -(-self.images // case.batch)
        if case.stage in ("relabel", "evaluate"):  # whole images per class
            whole = math.lcm(case.batch, case.classes) // case.batch
            steps = -(-steps // whole) * whole
        with deterministic(self.threads), tempfile.TemporaryDirectory() as folder:
            work = prepare(case, self.device, Path(folder), steps)
            with kept_memory():  # only now: a stage that is run to prepare gives memory back when it ends
                yield work

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long one call takes by the clock, the device's work included."""
        now = time.process_time if self.clock == "processor" else time.perf_counter
        self._wait()
        start = now()
        work()
        self._wait()
        return now() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def row(self, case: Case, work: Work, bar: "tqdm[Any] | None" = None) -> dict[str, Any]:
        """Measure the two sides of some work in turn; return them as a row of ``bench.csv``."""
        bar = bar or tqdm(disable=True)
        peaks = {call: self._peak(call) for call in (work.full, work.bare)}  # warms up as well
        bar.update()
        pairs = []
        for repeat in range(self.repeats):
            order = (work.full, work.bare) if repeat % 2 else (work.bare, work.full)  # neither always comes second
            taken = {call: self.seconds(call) / work.steps for call in order}
            pairs.append((taken[work.full], taken[work.bare]))
            bar.update()
        full, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
        low, ratio, high = _quartiles([one / other for one, other in pairs])
        return {
            "case": case.name, **{name: value for name, value in vars(case).items() if name in BENCH.columns},
            "full_ms": round(1000 * full, 3), "bare_ms": round(1000 * bare, 3),
            "ratio": round(ratio, 4), "ratio_low": round(low, 4), "ratio_high": round(high, 4),
            "images_per_second": round(work.images / full, 1),
            "peak_mib": peaks[work.full], "bare_peak_mib": peaks[work.bare],
            "clock": self.clock, "steps": work.steps, "repeats": self.repeats,
            **provenance_columns(provenance(self.device)),
        }  # fmt: skip

    def _peak(self, call: Callable[[], object]) -> float | str:
        """Peak memory of one call, MiB, with all that the process holds; empty where it cannot be told."""
        reset_peak_memory()
        call()
        found = provenance(self.device)["stage_peak_memory_mib"]
        return "" if found is None else found


def bench_line(row: Mapping[str, Any]) -> str:
    """Return a row of ``bench.csv`` as one line for people, with the goal where the case has one."""
    case = bench_cases().get(row["case"])
    goal = f", goal {case.goal:g}" if case and case.goal else ""
    return (
        f"{row['case']}: {row['full_ms']:.1f} ms, bare {row['bare_ms']:.1f} ms, ratio {row['ratio']:.3f} "
        f"({row['ratio_low']:.3f} to {row['ratio_high']:.3f}{goal}), {row['images_per_second']:.0f} images/s"
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
