"""What a number was made from: commit, versions, device, memory."""

import datetime
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import fd2lib

_PACKAGES = ("torch", "torchvision", "timm", "numpy")


def provenance(device: str | torch.device = "cpu") -> dict[str, Any]:
    """Return commit, versions, device, peak memory (MiB) and time (UTC) of this process."""
    device = torch.device(device)
    return {
        "fd2lib": fd2lib.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "device": describe_device(device),
        "threads": torch.get_num_threads(),
        "peak_memory_mib": _peak_memory(device),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe_device(device: torch.device) -> str:
    """Return a name for people, such as ``cpu (AMD EPYC)``."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({_processor()})"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _commit() -> str:
    """Return the commit of the source tree fd2lib runs from, marked when changed; empty outside git."""
    root = Path(fd2lib.__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True)
        changed = subprocess.run(["git", "status", "--porcelain", "--", "."], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    if head.returncode != 0:
        return ""
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
