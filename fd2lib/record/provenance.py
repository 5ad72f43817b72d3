"""What a number was made from: commit, versions, device, memory. Who only reads files imports no PyTorch for it."""

import contextlib
import datetime
import functools
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import fd2lib
from fd2lib.ground import world

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "torchvision", "timm", "numpy")


def reading_provenance() -> dict[str, Any]:
    """Return commit, versions, processor, peak memory (MiB) and time (UTC) of a process that need only read files."""
    return {
        **_code(),
        "device": f"cpu ({_processor()})",
        "peak_memory_mib": max(_Peak.earlier.get("cpu", 0.0), _high_water("cpu")),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def provenance(device: "str | torch.device" = "cpu") -> dict[str, Any]:
    """Return commit, versions, device, peak memory (MiB) and time (UTC) of this process, and how many work with it."""
    import torch

    device = torch.device(device)
    return {
        **reading_provenance(),
        "device": describe_device(device),
        "threads": torch.get_num_threads(),
        "processes": world(),
        "peak_memory_mib": max(_Peak.earlier.get(device.type, 0.0), _high_water(device)),
        # of the present stage; None where it cannot be told from the process's
        "stage_peak_memory_mib": _high_water(device) if device.type in _Peak.reset else None,
    }


def describe_device(device: "torch.device") -> str:
    """Return a name for people, such as ``cpu (AMD EPYC)``."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return f"{device.type} ({name})"


@functools.cache
def _code() -> dict[str, Any]:
    """What runs here, asked once: a process that has imported the library does not follow changes of its files."""
    return {
        "fd2lib": fd2lib.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
    }


@functools.cache
def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


class _Peak:
    """Peaks before the counters were last set back: the counters exist once per process, and so does this."""

    earlier: ClassVar[dict[str, float]] = {}  # device type -> MiB
    reset: ClassVar[set[str]] = set()  # device types whose counter counts one stage


def reset_peak_memory() -> None:
    """Begin a new measurement of peak memory, for one stage, where the system can (CUDA, Linux)."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch gives no types
        _keep_peak("cuda")
        torch.cuda.reset_peak_memory_stats()
        _Peak.reset.add("cuda")
    if sys.platform == "linux":
        _keep_peak("cpu")
        _Peak.reset.discard("cpu")
        with contextlib.suppress(OSError):  # some containers forbid it; the stage's peak is then unknown
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            _Peak.reset.add("cpu")


def _keep_peak(kind: str) -> None:
    _Peak.earlier[kind] = max(_Peak.earlier.get(kind, 0.0), _high_water(kind))


def _high_water(device: "str | torch.device") -> float:
    """MiB since the start of the process, or since the last reset."""
    if str(device).startswith("cuda"):
        import torch

        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _commit() -> str:
    """Return the commit of the source tree fd2lib runs from, marked when changed; empty outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=Path(fd2lib.__file__).parent, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        return head + "+changes" if head and git("status", "--porcelain", "--", ".") else head
    except OSError:  # no git
        return ""
