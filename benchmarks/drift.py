"""How long a comparison of two data sets takes, and how much memory: docs/drift.md.

python benchmarks/drift.py                            # two files of a million rows and 30 columns: half a minute
python benchmarks/drift.py --rows 1000000 10000000    # and of ten million: five minutes
python benchmarks/drift.py --chance                   # how often chance alone exceeds the rule of thumb: a second
"""

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contests import report
from contests.processes import peak_bytes

from polyrank.drift import compare
from polyrank.drift.numbers import NumberReading, NumbersApart
from polyrank.schema import Schema

IDS, WORDS, LISTS, NUMBERS = 6, 8, 3, 13
"""Columns of each kind: user and item ids, few words, lists of ids, numbers."""

PIECE = 250_000

RULE_OF_THUMB = 0.2


def main() -> None:
    """Write files, compare them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="of each of two files")
    parser.add_argument("--chance", action="store_true", help="say how often chance alone exceeds an index of 0.2")
    args = parser.parse_args()
    if args.chance:
        _say_chance()
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, numpy {np.__version__}\n")
    lines = [["rows of each", "clock", "processor", "memory at most", "before, to write the files"]]
    # In processes of their own, whose memory is that of one comparison.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        lines += [pool.apply(measured, (rows,)) for rows in args.rows]
    print(report.markdown(lines))


def measured(rows: int) -> list[str]:
    """Write two files and compare them; return what it took as a line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("reference.parquet", "current.parquet")]
        for seed, path in enumerate(paths):
            _write(path, rows, seed)
        before, start, used = peak_bytes(), time.perf_counter(), time.process_time()
        compare(_schema(), *paths)
        seconds, used = time.perf_counter() - start, time.process_time() - used
    memory = [f"{each / 2**20:,.0f} MiB" for each in (peak_bytes(), before)]
    return [f"{rows:,}", f"{seconds:.1f} s", f"{used:.1f} s", *memory]


def _say_chance(rows: int = 100, times: int = 2_000) -> None:
    random, above, beyond = np.random.default_rng(0), 0, 0
    for _ in range(times):
        readings = NumberReading(), NumberReading()
        for reading in readings:
            reading.add(random.normal(size=rows))
        apart = NumbersApart(*readings, with_missing=False)
        above, beyond = above + (apart.psi > RULE_OF_THUMB), beyond + (apart.psi > apart.psi_by_chance)
    print(f"{times:,} comparisons of {rows} rows with {rows} of the same distribution, in deciles:")
    print(f"{above / times:.1%} have an index above {RULE_OF_THUMB}, {beyond / times:.2%} one above their limit")


def _schema() -> Schema:
    features = [
        *(f'{{ name = "id{i}", kind = "categorical", dtype = "int64", num_buckets = 1000 }}' for i in range(IDS)),
        *(f'{{ name = "word{i}", kind = "categorical", dtype = "text", num_buckets = 1000 }}' for i in range(WORDS)),
        *(
            f'{{ name = "list{i}", kind = "bag", dtype = "int64", max_length = 20, num_buckets = 1000 }}'
            for i in range(LISTS)
        ),
        *(f'{{ name = "number{i}", kind = "numeric" }}' for i in range(NUMBERS)),
    ]
    task = '{ name = "click", kind = "binary", label = "is_click" }'
    return Schema.from_toml(f'name = "timed"\nfeatures = [{", ".join(features)}]\ntasks = [{task}]')


def _write(path: Path, rows: int, seed: int) -> None:
    random, writer = np.random.default_rng(seed), None
    for start in range(0, rows, PIECE):
        table = _table(min(PIECE, rows - start), random)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _table(rows: int, random: np.random.Generator) -> pa.Table:
    words = np.array([f"word {index}" for index in range(200)])
    columns: dict[str, object] = {f"id{i}": random.zipf(1.2, rows) % 10 ** (i + 3) for i in range(IDS)}
    columns |= {f"word{i}": words[random.zipf(1.5, rows) % 200] for i in range(WORDS)}
    for index in range(LISTS):
        ends = np.concatenate([[0], np.cumsum(random.integers(0, 15, rows))])
        columns[f"list{index}"] = pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()), random.zipf(1.3, ends[-1]) % 50_000
        )
    columns |= {f"number{i}": random.normal(size=rows) for i in range(NUMBERS)}
    return pa.table(columns | {"is_click": random.integers(0, 10, rows) == 0})


if __name__ == "__main__":
    main()
