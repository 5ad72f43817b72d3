"""Where the time of a step goes: the operators that PyTorch's profiler saw, sorted by kind."""

import fnmatch
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from fd2lib.measure.bench import Bench, declared
from fd2lib.measure.cases import Case
from fd2lib.measure.measured import provenance_columns
from fd2lib.record import provenance

REST = "calls, autograd and the rest"
_LOOKS = 5
os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # its library reports to standard error that there is no GPU


def profile_rows(bench: Bench, case: Case) -> list[dict[str, Any]]:
    """Return rows of ``profile.csv``: the time of one step in each kind of operation, and of the bare passes.

    Time is that of operators themselves, not of those they call: the processor's on a CPU, the device's on a GPU. The
    profiler knows the wall's clock alone and adds to each operator; its shares are taken, of a step's time by the
    bench's clock.
    """
    with bench.prepared(case) as work:
        (full, calls), (bare, _) = (_by_kind(bench, call, work.steps) for call in (work.full, work.bare))
        made = provenance_columns(provenance(bench.device))
    total = sum(full.values())
    return [
        {
            "case": case.name, "operation": kind, "calls": round(calls[kind], 1), "full_ms": round(full[kind], 3),
            "bare_ms": round(bare[kind], 3), "share": round(100 * full[kind] / total, 2), **made,
        }
        for kind in sorted(full, key=full.__getitem__, reverse=True)
    ]  # fmt: skip


def _by_kind(bench: Bench, work: Callable[[], object], steps: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds and calls of each kind of operation in one step, of the look that others disturbed least."""
    seconds = min(bench.seconds(work) for _ in range(_LOOKS))  # the first warms up
    times, calls = min((_look(bench, work) for _ in range(_LOOKS)), key=lambda look: sum(look[0].values()))
    scale = 1000 * seconds / steps / sum(times.values())
    kinds = [*declared()["operations"], REST]
    return {kind: scale * times[kind] for kind in kinds}, {kind: calls[kind] / steps for kind in kinds}


def _look(bench: Bench, work: Callable[[], object]) -> tuple[dict[str, float], dict[str, float]]:
    from torch.profiler import ProfilerActivity, profile  # here, as its library reads the environment when it loads

    on_device = bench.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
    with profile(activities=activities) as seen:
        bench.seconds(work)
    times, calls = defaultdict[str, float](float), defaultdict[str, float](float)
    for one in seen.key_averages():
        times[kind_of(one.key)] += one.self_device_time_total if on_device else one.self_cpu_time_total
        calls[kind_of(one.key)] += one.count
    return times, calls


def kind_of(operator: str) -> str:
    """Return the kind of an operator, such as ``aten::mm``, by the first pattern of ``bench.toml`` that fits."""
    name = operator.removeprefix("aten::")
    kinds: dict[str, list[str]] = declared()["operations"]
    fitting = (kind for kind, patterns in kinds.items() if any(fnmatch.fnmatchcase(name, one) for one in patterns))
    return next(fitting, REST)
