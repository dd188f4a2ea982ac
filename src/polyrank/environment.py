"""What computes: versions and machine."""

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("polyrank", "numpy", "pyarrow", "torch", "onnxruntime", "tritonclient")


def environment() -> dict[str, str]:
    """Return versions of Python and of the packages that are installed, the processor and how many cores there are."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
