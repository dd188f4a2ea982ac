"""How long a killed Triton is away, and what its supervisor costs: `python benchmarks/server_restart.py REPOSITORY`.

Triton is killed again and again, each time that of a fresh server, so that no restart waits; seconds are those from the
kill until every model of the repository is ready again.
"""

import argparse
import os
import signal
import statistics
import time
from pathlib import Path

from contests import report

from polyrank.errors import PolyrankError
from polyrank.serving import ModelControl, Server, ServerConfig, serve
from polyrank.serving.processes import process

LONGEST_S = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print seconds of each restart, and the supervisor's share of a core and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quiet-s", type=float, default=20.0, help="seconds in which nothing happens (default 20)")
    args = parser.parse_args()
    away: list[float] = []
    taken: tuple[str, str] | tuple[()] = ()
    for _ in range(args.repeats):  # each server is started anew: the first restart of a server comes without a pause
        with serve(args.repository, config=ServerConfig(restarts=1)) as server:
            taken = taken or cost(server, args.quiet_s)
            time.sleep(2.0)
            away.append(restart_s(server))
    median, longest = (f"{of(away):.2f} s" for of in (statistics.median, max))
    line = [str(len(away)), median, longest, *taken]
    print(report.markdown([["kills", "away, median", "longest", "supervisor: of a core", "its memory"], line]))


def restart_s(server: Server) -> float:
    """Kill Triton; return the seconds until every model is ready again.

    Raises:
        SystemExit: that takes longer than two minutes.
    """
    begin = time.monotonic()
    os.kill(server.pid, signal.SIGKILL)
    while not all(is_ready(server, model) for model in server.models):
        if time.monotonic() - begin > LONGEST_S:
            raise SystemExit(f"Triton was not ready again {LONGEST_S:.0f} s after it was killed")
        time.sleep(0.01)
    return time.monotonic() - begin


def is_ready(server: Server, model: str) -> bool:
    """Say whether a model answers."""
    try:
        with ModelControl(server.url, timeout_s=5.0) as control:
            return bool(control.versions(model))
    except PolyrankError:
        return False


def cost(server: Server, quiet_s: float) -> tuple[str, str]:
    """Return what the supervisor takes while nothing happens: a share of one core, and memory."""
    triton = process(server.pid)
    if triton is None:
        raise SystemExit("Triton has ended")
    before = used_s(triton.parent)
    time.sleep(quiet_s)
    status = Path(f"/proc/{triton.parent}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return f"{(used_s(triton.parent) - before) / quiet_s:.1%}", f"{int(kib) / 1e3:.0f} MB"


def used_s(pid: int) -> float:
    """Return the seconds of a core that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


if __name__ == "__main__":
    main()
