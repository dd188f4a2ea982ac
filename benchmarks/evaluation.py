"""How long an evaluation of many rows takes, and how much memory: docs/evaluation.md.

python benchmarks/evaluation.py                # a million rows: about two minutes with training
"""

import argparse
import os
import platform
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from contests import report
from contests.processes import Finished, finished
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
    logs, cores = kuairand.load(EXAMPLE), len(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
    print(f"{rows:,} rows of {logs.num_columns} columns, {machine}\n")
    with tempfile.TemporaryDirectory(prefix="polyrank-") as folder:
        found = measured(Path(folder), logs, rows)
    line = [f"{rows:,}", f"{found.seconds:.0f} s", f"{found.peak_bytes / 2**30:.2f} GiB"]
    print(report.markdown([["rows", "clock", "memory at most"], line]))


def measured(folder: Path, logs: pa.Table, rows: int) -> Finished:
    """Train on logs, and return what an evaluation of as many rows takes in a process of its own."""
    parquet.write_table(logs, folder / "train.parquet")
    schema, config = ("--schema", str(EXAMPLE / "schema.toml")), ("--config", str(EXAMPLE / "train.toml"))
    train = ("train", str(folder / "train.parquet"), *schema, *config, "--out", str(folder / "run"))
    finished(*train, "--cache", str(folder))
    parquet.write_table(repeated(logs, rows), folder / "rows.parquet")
    return finished("evaluate", str(folder / "run"), str(folder / "rows.parquet"), "--out", str(folder / "found.json"))


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
