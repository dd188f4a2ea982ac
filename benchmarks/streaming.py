"""How much memory training takes when the data do not fit into it, and how long it waits for rows: docs/benchmarks.md.

python benchmarks/streaming.py --gigabytes 20 --folder /data/streaming   # makes the files there, if it is empty
python benchmarks/streaming.py --gigabytes 0.02 --file-rows 20_000       # that it runs: in a temporary folder
python benchmarks/streaming.py --logs 2_000_000                          # rows as those of KuaiRand instead
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contests import report
from contests.processes import peak_bytes
from rows import logs

from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.shuffling import Shuffler

DIM = 256
RUNS = ("first run, which encodes", "second run, from the encoded rows")
SCHEMA = f"""
name = "streaming"

[[features]]
name = "user_id"
kind = "categorical"
dtype = "int64"
num_buckets = 1_000_000
embedding_dim = 16

[[features]]
name = "item_id"
kind = "categorical"
dtype = "int64"
num_buckets = 100_000
embedding_dim = 16

[[features]]
name = "tags"
kind = "bag"
dtype = "text"
max_length = 6
num_buckets = 1_000
embedding_dim = 8

[[features]]
name = "price"
kind = "numeric"
transform = ["log1p", "standardize"]

[[features]]
name = "image"
kind = "vector"
dim = {DIM}

[[tasks]]
name = "click"
kind = "binary"
label = "is_click"
"""


def main() -> None:
    """Make files, train on them twice, and say what it took."""
    arguments = _arguments()
    if arguments.train:
        print(*_train(arguments.folder, arguments.memory_mb), peak_bytes())
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = _place(arguments, Path(temporary))
        size = _make(folder, arguments)
        machine = platform.processor() or platform.machine()
        print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
        rows = f"{_rows(folder / 'logs'):,} rows"
        held = rows if arguments.logs is not None else f"{size / 10**9:.1f} GB of Parquet, {rows}"
        lines = [[held, "seconds", "resident, at most", "seconds of the epoch", "of which waiting for rows"]]
        shutil.rmtree(folder / "encoded", ignore_errors=True)  # of an earlier run, which the first must not find
        lines += [[what, *_measured(folder, arguments.memory_mb)] for what in RUNS]
    print(report.markdown(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=20.0, help="of Parquet files")
    parser.add_argument("--file-rows", type=int, default=500_000, help="of each of these files (default 500,000)")
    parser.add_argument("--logs", type=int, help="rows drawn from examples/kuairand instead, so many")
    parser.add_argument("--folder", type=Path, help="where files are made; a temporary one when left out")
    parser.add_argument("--memory-mb", type=int, default=512, help="memory_mb of the training configuration")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _place(arguments: argparse.Namespace, temporary: Path) -> Path:
    """Return where files are made: drawn logs apart from images, so that one folder may have both."""
    folder = arguments.folder or temporary
    return folder / "drawn" if arguments.logs is not None else folder


def _make(folder: Path, arguments: argparse.Namespace) -> int:
    """Write the schema and Parquet files; return their bytes."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    if arguments.logs is None:
        (folder / "schema.toml").write_text(SCHEMA)
        return _write_images(folder / "logs", int(arguments.gigabytes * 10**9), arguments.file_rows)
    (folder / "schema.toml").write_text(logs.SCHEMA.to_toml())
    file = folder / "logs" / "logs.parquet"
    logs.write_rows(logs.draw_rows(arguments.logs), file)
    return file.stat().st_size


def _write_images(folder: Path, size: int, file_rows: int) -> int:
    written = sum(file.stat().st_size for file in folder.glob("*.parquet"))
    for number, table in enumerate(_tables(file_rows)):
        file = folder / f"part-{number:04}.parquet"
        if written >= size:
            return written
        if not file.exists():
            pq.write_table(table, file, row_group_size=100_000, use_dictionary=["tags"])
            written += file.stat().st_size
    return written


def _tables(rows: int) -> Iterator[pa.Table]:
    """Yield tables of so many rows, in which a click depends on the item and on the image."""
    generator = np.random.default_rng(0)
    taste, vocabulary = (
        generator.normal(size=DIM).astype(np.float32) / DIM**0.5,
        np.array([f"tag-{n}" for n in range(500)]),
    )
    while True:
        users, items = (1 + generator.zipf(1.2, rows) % limit for limit in (1_000_000, 100_000))
        images = generator.standard_normal((rows, DIM), np.float32)
        lengths = generator.integers(0, 7, rows)
        tags = pa.array(vocabulary[generator.integers(0, 500, lengths.sum())])
        chance = 1 / (1 + np.exp(2 - images @ taste - (items % 7 == 0)))
        yield pa.table(
            {
                "user_id": users,
                "item_id": items,
                "tags": pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths)), pa.int32()), tags),
                "price": generator.lognormal(3.0, 1.0, rows),
                "image": pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), DIM),
                "is_click": (generator.random(rows) < chance).astype(np.int8),
            }
        )


def _rows(folder: Path) -> int:
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def _measured(folder: Path, memory_mb: int) -> list[str]:
    """Train in a process of its own, and return what it took."""
    _forget(folder)
    command = [sys.executable, __file__, "--folder", str(folder), "--memory-mb", str(memory_mb), "--train"]
    start = time.monotonic()
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    epoch, waited, resident = (float(number) for number in output.split())
    seconds, size = f"{time.monotonic() - start:,.0f}", f"{resident / 10**9:.2f} GB"
    return [seconds, size, f"{epoch:,.1f}", f"{waited / epoch:.1%}"]


def _train(folder: Path, memory_mb: int) -> tuple[float, float]:
    """Train for an epoch; return its seconds, and those in which it waited for rows."""
    windows, times = Shuffler.windows, [0.0, 0.0]

    def timed(rows: Shuffler, *places: int) -> Iterator[Any]:
        start, waiting = time.monotonic(), windows(rows, *places)
        while True:
            asked = time.monotonic()
            window = next(waiting, None)
            times[1] += time.monotonic() - asked
            if window is None:
                break
            yield window
        times[0] += time.monotonic() - start

    with tempfile.TemporaryDirectory(dir=folder) as out, mock.patch.object(Shuffler, "windows", timed):
        schema, config = Schema.load(folder / "schema.toml"), TrainConfig(memory_mb=memory_mb, epochs=1)
        fit(schema, folder / "logs", out=Path(out, "run"), config=config, cache=folder / "encoded")
    return times[0], times[1]


def _forget(folder: Path) -> None:
    """Make the system drop what it holds of the files."""
    for file in (*(folder / "logs").iterdir(), *(folder / "encoded").glob("*")):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


if __name__ == "__main__":
    main()
