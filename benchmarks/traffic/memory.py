"""Memory of server and client over many requests, after those that warm both up."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from polyrank.serving import Ranker, serve

from . import model

ROWS, THREADS = 10, 4


@dataclasses.dataclass(frozen=True)
class Memory:
    """Resident memory in MB after so many requests: the sum of all processes of the server, and of this one."""

    requests: int
    server_mb: float
    client_mb: float


def measure(folder: Path, requests: int, told: Callable[[Memory], None]) -> list[Memory]:
    """Send requests from four threads, and look at the memory ten times."""
    model.publish_bundle(model.make_bundle(folder / "model"), folder / "models")
    rows = model.rows(1_000, 1)
    parts = [rows.slice(start, ROWS) for start in range(0, len(rows), ROWS)]
    found = []
    with (
        serve(folder / "models") as server,
        Ranker(server.url, model.NAME) as ranker,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for step in range(1, 11):
            each = requests // 10 // THREADS

            def work(_: int, count: int = each) -> None:
                for number in range(count):
                    ranker.score(parts[number % len(parts)])

            list(pool.map(work, range(THREADS)))  # an error ends the run: its requests were not answered
            found.append(Memory(step * each * THREADS, _group_mb(server.pid), _process_mb("self")))
            told(found[-1])
    return found


def _group_mb(leader: int) -> float:
    """Sum the memory of a process and of those below it."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    members = {leader}
    while more := {child for child, parent in parents.items() if parent in members} - members:
        members |= more
    return sum(_process_mb(str(member)) for member in members)


def _process_mb(process: str) -> float:
    """Return what it has in memory, pages that others use too included, so that others do not change it."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Rss:")) / 1000
