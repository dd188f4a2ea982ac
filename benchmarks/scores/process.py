"""`polyrank score` as a process: how long it takes, and what it needs."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """What something took: seconds on the wall, seconds of all processors together, and memory at most."""

    seconds: float
    processor_s: float
    peak_bytes: int


def scored(bundle: Path, rows: Path) -> Finished:
    """Score a file in a process of its own, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "scores.parquet"))
        command = [sys.executable, "-m", "polyrank", "--quiet", "score", str(bundle), str(rows), "--out", out]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak_bytes = 0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak_bytes = _peak_bytes(process.pid) or peak_bytes
            time.sleep(0.005)
        seconds = time.perf_counter() - start
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    return Finished(seconds=seconds, processor_s=usage.ru_utime + usage.ru_stime, peak_bytes=peak_bytes)


def _peak_bytes(pid: int) -> int:
    """Return the most that a process has held; what `wait4` says of it counts the process that started it too."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
