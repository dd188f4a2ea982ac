"""What a log of impressions costs a call, and what it takes in: docs/benchmarks.md.

python benchmarks/impressions.py               # of the demo's model, which make demo leaves; a minute
python benchmarks/impressions.py --calls 200   # few calls: that it runs, not what it costs
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from contests import report
from numpy.typing import NDArray

from polyrank.serving import ImpressionLog, Items, Ranker, serve
from polyrank.train.datasets import kuairand

ROOT = Path(__file__).parents[1]
MODELS, LOGS = ROOT / "build" / "demo" / "model_repository", ROOT / "examples" / "kuairand"
SHOWN = (10, 100)
CLOCKS = ("wall", "processor, of the thread")
ITEMS, USERS = 1_000, 1_000
BLOCK = 900
LIMIT_US = 50.0
PACKAGES = ("polyrank", "pyarrow", "numpy")
User = Mapping[str, Any]
Floats = NDArray[np.float64]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="?", default=MODELS, help="model repository (default: the demo's)")
    parser.add_argument("--calls", type=int, default=5_000, help="of each kind (default 5,000)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="to write (default 1,000,000)")
    arguments = parser.parse_args()
    facts = report.machine(PACKAGES)
    print(f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start", end="\n\n")
    logs = kuairand.load(LOGS)
    with serve(arguments.models) as server, Ranker(server.url) as ranker:
        items = ranker.items(logs.slice(0, ITEMS), key="video_id")
        columns = ranker.signature.schema.feature_columns
        users = logs.slice(logs.num_rows - USERS).select(columns).to_pylist()
        print(report.markdown(_cost(ranker, users, items, arguments.calls)), end="\n\n")
        answers = {shown: [ranker.rank(user, items, top_k=shown) for user in users] for shown in SHOWN}
    print(report.markdown(_intake(answers, users, items, arguments.rows)))


def _cost(ranker: Ranker, users: Sequence[User], items: Items, calls: int) -> list[list[str]]:
    names = ["items shown", "clock", "rank: p50, p99", "logged: p50, p99", "rank, by itself", "added to p50"]
    lines = [[*names, f"≤ {LIMIT_US:.0f} µs"]]
    for shown in SHOWN:
        with tempfile.TemporaryDirectory() as folder, ImpressionLog(folder) as log:
            found = _turns(ranker, list(itertools.islice(itertools.cycle(users), calls)), items, shown, log)
        for clock, (before, logged, after) in zip(CLOCKS, found, strict=True):
            plain, noise = np.concatenate([before, after]), abs(np.median(after) - np.median(before))
            added = np.median(logged) - np.median(plain)
            outcome = "reached" if added <= LIMIT_US else "missed"
            times = _both(plain), _both(logged), f"{noise:.0f} µs", f"{added:+.0f} µs"
            lines.append([str(shown), clock, *times, outcome])
        own = _alone(ranker.rank(users[0], items, top_k=shown), users, items)
        outcome = "reached" if np.median(own) <= LIMIT_US else "missed"
        lines.append(
            [str(shown), "processor, of log.shown alone", "-", _both(own), "-", f"{np.median(own):+.0f} µs", outcome]
        )
    return lines


def _alone(answer: pa.Table, users: Sequence[User], items: Items) -> Floats:
    """Return the processor time that the calling thread takes to hand over a list, in µs."""
    times = []
    with tempfile.TemporaryDirectory() as folder, ImpressionLog(folder) as log:
        for user in users:
            start = time.thread_time()
            log.shown(answer, user=user, items=items)
            times.append(time.thread_time() - start)
    return 1e6 * np.array(times)


def _turns(
    ranker: Ranker, users: Sequence[User], items: Items, shown: int, log: ImpressionLog
) -> list[tuple[Floats, Floats, Floats]]:
    """Return what calls take without the log, with it, and without it again, in µs, by each clock.

    They take turns by blocks, long enough that the log writes during its own, and nothing waits during the others.
    """
    before, logged, after = [], [], []
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        before += [_timed(ranker, user, items, shown, None) for user in block]
        logged += [_timed(ranker, user, items, shown, log) for user in block]
        log.flush()
        after += [_timed(ranker, user, items, shown, None) for user in block]
    return list(zip(*(1e6 * np.array(times).T for times in (before, logged, after)), strict=True))


def _timed(ranker: Ranker, user: User, items: Items, shown: int, log: ImpressionLog | None) -> tuple[float, float]:
    start, own = time.perf_counter(), time.thread_time()
    ranker.rank(user, items, top_k=shown, log=log)
    return time.perf_counter() - start, time.thread_time() - own


def _both(times: Floats) -> str:
    return f"{np.median(times):,.0f} µs, {np.percentile(times, 99):,.0f} µs"


def _intake(
    answers: Mapping[int, Sequence[pa.Table]], users: Sequence[User], items: Items, rows: int
) -> list[list[str]]:
    lines = [["items shown", "columns of items", "rows/s", "rows/s of a processor", "journal", "file"]]
    for shown, has_items in itertools.product(SHOWN, (True, False)):
        lists = list(zip(answers[shown], users, strict=True))
        with tempfile.TemporaryDirectory() as folder:
            log = ImpressionLog(folder, item_columns=has_items, rotate_mb=10_000, rotate_s=1e6)
            lines.append([str(shown), "logged" if has_items else "left out", *_filled(log, lists, items, rows)])
    return lines


def _filled(log: ImpressionLog, lists: Sequence[tuple[pa.Table, User]], items: Items, rows: int) -> list[str]:
    """Write each list once, for its size in the journal and the file; then all as fast as they are taken, for speed."""
    _write(log, lists, items)
    count, journal = log.written, _size(log.folder)
    log.rotate()
    sizes = [f"{size / count:.0f} bytes a row" for size in (journal, _size(log.folder))]
    start, processor = time.perf_counter(), time.process_time()
    while log.written - count < rows:
        _write(log, lists, items)
    wall, own = time.perf_counter() - start, time.process_time() - processor
    log.close()
    if log.dropped:
        raise SystemExit(f"{log.dropped} rows were dropped")
    return [*(f"{(log.written - count) / seconds:,.0f}" for seconds in (wall, own)), *sizes]


def _write(log: ImpressionLog, lists: Sequence[tuple[pa.Table, User]], items: Items) -> None:
    """Show lists, and wait for them where more would not fit into the queue."""
    for number, (answer, user) in enumerate(lists, 1):
        log.shown(answer, user=user, items=items)
        if number % BLOCK == 0:
            log.flush()
    log.flush()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


if __name__ == "__main__":
    main()
