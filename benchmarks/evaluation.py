"""How long an evaluation of many rows takes, and how much memory: docs/evaluation.md.

python benchmarks/evaluation.py                # a million rows: about two minutes with training
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from contests import report
from pyarrow import parquet

from polyrank.train.datasets import kuairand

EXAMPLE = Path(__file__).parents[1] / "examples" / "kuairand"
USERS = 100_000
"""Ids of users lie below."""


def main() -> None:
    """Train on the example's rows, and evaluate the model on many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    cores = len(os.sched_getaffinity(0))
    print(f"{rows:,} rows of 45 columns, {platform.machine()}, {cores} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory(prefix="polyrank-") as folder:
        seconds, peak_bytes = measured(Path(folder), rows)
    line = [f"{rows:,}", f"{seconds:.0f} s", f"{peak_bytes / 2**30:.2f} GiB"]
    print(report.markdown([["rows", "clock", "memory at most"], line]))


def measured(folder: Path, rows: int) -> tuple[float, int]:
    """Return the seconds of an evaluation in a process of its own, and the most memory that it held, in bytes."""
    logs = kuairand.load(EXAMPLE)
    parquet.write_table(logs, folder / "train.parquet")
    schema, config = ("--schema", str(EXAMPLE / "schema.toml")), ("--config", str(EXAMPLE / "train.toml"))
    train = ("train", str(folder / "train.parquet"), *schema, *config, "--out", str(folder / "run"))
    subprocess.run(command(*train, "--cache", str(folder)), check=True, stdout=subprocess.DEVNULL)
    parquet.write_table(repeated(logs, rows), folder / "rows.parquet")
    start = time.perf_counter()
    evaluate = ("evaluate", str(folder / "run"), str(folder / "rows.parquet"), "--out", str(folder / "found.json"))
    process = subprocess.Popen(command(*evaluate))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def command(*words: str) -> list[str]:
    """Return a verb as a process runs it."""
    return [sys.executable, "-m", "polyrank", *words]


def repeated(logs: pa.Table, rows: int) -> pa.Table:
    """Repeat logs until there are as many rows, each time with users of its own."""
    place = logs.column_names.index("user_id")
    parts = []
    for number in range(-(-rows // len(logs))):
        users = pc.add(logs["user_id"], pa.scalar(number * USERS, logs["user_id"].type))
        parts.append(logs.set_column(place, "user_id", users))
    return pa.concat_tables(parts).slice(0, rows)


if __name__ == "__main__":
    main()
