"""Where the time of a step goes: the operators that PyTorch's profiler saw, sorted by kind."""

import fnmatch
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from fd2lib.measure.bench import Bench, declared
from fd2lib.measure.measured import provenance_columns
from fd2lib.measure.steps import Case
from fd2lib.record import provenance

_LOOKS = 5
os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # its library reports to standard error that there is no GPU


def profile_rows(bench: Bench, case: Case) -> list[dict[str, Any]]:
    """Return rows of ``profile.csv``: the time of one step in each kind of operation, and of the bare passes.

    Time is that of operators themselves, not of those they call: the processor's on a CPU, the device's on a GPU.
    """
    with bench.prepared(case) as work:
        for call in (work.full, work.bare):  # warms up
            bench.seconds(call)
        seen = [[_by_kind(bench, call, work.steps) for call in (work.full, work.bare)] for _ in range(_LOOKS)]
        made = provenance_columns(provenance(bench.device))
    # The profiler knows the wall's clock alone, so what others do beside adds to it: the least of several looks.
    kinds = {kind for sides in seen for times, _ in sides for kind in times}
    full, bare = ({kind: min(sides[side][0][kind] for sides in seen) for kind in kinds} for side in (0, 1))
    calls, total = seen[0][0][1], sum(full.values())
    return [
        {
            "case": case.name, "operation": kind, "calls": round(calls[kind], 1), "full_ms": round(full[kind], 3),
            "bare_ms": round(bare[kind], 3), "share": round(100 * full[kind] / total, 2), **made,
        }
        for kind in sorted(full, key=full.__getitem__, reverse=True)
    ]  # fmt: skip


def _by_kind(bench: Bench, work: Callable[[], object], steps: int) -> tuple[Counter[str], Counter[str]]:
    """Milliseconds and calls of each kind of operation in one step."""
    from torch.profiler import ProfilerActivity, profile  # here, as its library reads the environment when it loads

    on_device = bench.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
    with profile(activities=activities) as seen:
        bench.seconds(work)
    milliseconds, calls = Counter[str](), Counter[str]()
    for one in seen.key_averages():
        kind = kind_of(one.key)
        milliseconds[kind] += (one.self_device_time_total if on_device else one.self_cpu_time_total) / 1000 / steps
        calls[kind] += one.count / steps
    return milliseconds, calls


def kind_of(operator: str) -> str:
    """Return the kind of an operator, such as ``aten::mm``, by the first pattern of ``bench.toml`` that fits."""
    name = operator.removeprefix("aten::")
    kinds: dict[str, list[str]] = declared()["operations"]
    fitting = (kind for kind, patterns in kinds.items() if any(fnmatch.fnmatchcase(name, one) for one in patterns))
    return next(fitting, "calls, autograd and the rest")
