"""What processes take: seconds, and memory at most."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """What something took.

    Attributes:
        seconds: on the wall.
        processor_s: of all processors together.
        peak_bytes: of memory; None where it was no process of its own.
    """

    seconds: float
    processor_s: float
    peak_bytes: int | None = None


def finished(*words: str) -> Finished:
    """Run `polyrank` with these words in a process of its own, from its start to its end.

    Raises:
        SystemExit: it fails.
    """
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen([sys.executable, "-m", "polyrank", *words], stdout=subprocess.DEVNULL)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak = peak_bytes(process.pid) or peak
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    return Finished(seconds=seconds, processor_s=usage.ru_utime + usage.ru_stime, peak_bytes=peak)


def peak_bytes(process: int | str = "self") -> int:
    """Return the most memory that a process has had resident; 0 of one that has just ended.

    What `getrusage` and `wait4` say begins with the memory of the process that started it.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
