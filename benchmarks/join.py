"""How long a join takes, and how much memory: docs/loop-data.md.

python benchmarks/join.py                            # a million impressions, 200,000 events: half a minute
python benchmarks/join.py --rows 1000000 3000000     # and three million, 600,000
"""

import argparse
import itertools
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contests import report
from contests.processes import peak_bytes

from polyrank.attribution import JoinOptions, join_to_file
from polyrank.schema import Schema

ITEMS, LIST, WORDS, NUMBERS = 100_000, 10, 8, 13
"""Different items, items of a request, and columns of features of each kind."""

PIECE = 250_000
FIRST_US = 1_750_000_000_000_000
SCHEMA = """
name = "shop"
time = "time_ms"
group = "user_id"
[[features]]
name = "user_id"
kind = "categorical"
dtype = "int64"
side = "user"
num_buckets = 1_000_000
[[features]]
name = "item_id"
kind = "categorical"
dtype = "int64"
side = "item"
num_buckets = 1_000_000
[[tasks]]
name = "click"
kind = "binary"
label = "click"
[[tasks]]
name = "purchase"
kind = "binary"
label = "purchase"
"""


def main() -> None:
    """Write impressions and events, join them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="impressions")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, pyarrow {pa.__version__}\n")
    lines = [["impressions", "events", "found by", "attributed", "clock", "processor", "memory at most"]]
    # In processes of their own, whose memory is that of one thing.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for rows, by in itertools.product(args.rows, ("request", "user")):
            with tempfile.TemporaryDirectory() as folder:
                pool.apply(_write, (Path(folder), by, rows))
                lines.append(pool.apply(_joined, (Path(folder), by)))
    print(report.markdown(lines))


def _write(folder: Path, by: str, rows: int) -> None:
    with pq.ParquetWriter(folder / "shown.parquet", _piece(np.arange(LIST)).schema) as writer:
        for piece in _pieces(rows):
            writer.write_table(piece)
    events = _events(folder / "shown.parquet", rows // 5)
    pq.write_table(events if by == "request" else events.drop_columns(["request_id"]), folder / "happened.parquet")


def _joined(folder: Path, by: str) -> list[str]:
    """Join, and return what it took as a line of the table."""
    schema, options = Schema.from_toml(SCHEMA), JoinOptions(windows_s={"click": 1_800.0, "purchase": 604_800.0})
    start, used = time.perf_counter(), time.process_time()
    counts = join_to_file(
        schema, folder / "shown.parquet", folder / "happened.parquet", folder / "rows.parquet", options
    )
    seconds, used = time.perf_counter() - start, time.process_time() - used
    events, found = (sum(getattr(task, name) for task in counts.tasks) for name in ("events", "attributed"))
    numbers = [f"{counts.rows:,}", f"{events:,}", by, f"{found:,}"]
    return [*numbers, f"{seconds:.1f} s", f"{used:.1f} s", f"{peak_bytes() / 2**20:,.0f} MiB"]


def _pieces(rows: int) -> Iterator[pa.Table]:
    for first in range(0, rows, PIECE):
        yield _piece(np.arange(first, min(rows, first + PIECE)))


def _piece(places: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Table:
    """Return impressions of these numbers, with 23 columns of features, in the order of their times."""
    random, size = np.random.default_rng(places[0]), len(places)
    requests = places // LIST
    words = pa.array([f"word {number}" for number in range(1_000)])
    return pa.table(
        {
            "request_id": pa.array([f"{request:032x}" for request in requests]),
            "shown_at": pa.array(FIRST_US + requests * 500_000, pa.timestamp("us", tz="UTC")),
            "rank": pa.array(places % LIST + 1, pa.int32()),
            "user_id": requests * 7_919 % 50_000,
            "item_id": random.integers(0, ITEMS, size),
            **{f"word_{each}": words.take(random.integers(0, 1_000, size)) for each in range(WORDS)},
            **{f"number_{each}": random.normal(size=size) for each in range(NUMBERS)},
        }
    )


def _events(shown: Path, count: int) -> pa.Table:
    """Return events of some impressions, up to an hour later, in no order."""
    random, rows = (
        np.random.default_rng(0),
        pq.read_table(shown, columns=["request_id", "user_id", "item_id", "shown_at"]),
    )
    picked = rows.take(random.integers(0, rows.num_rows, count))
    delays = random.integers(0, 3_600_000_000, count)
    times = pa.array(picked["shown_at"].cast(pa.int64()).to_numpy() + delays, pa.timestamp("us", tz="UTC"))
    tasks = pa.array(np.where(random.random(count) < 0.8, "click", "purchase"))  # noqa: PLR2004 (a share)
    return picked.drop_columns(["shown_at"]).append_column("time", times).append_column("task", tasks)


if __name__ == "__main__":
    main()
