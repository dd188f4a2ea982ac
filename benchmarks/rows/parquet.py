"""A Parquet file into the arrays of a model: reading and encoding together, and each alone."""

import dataclasses
import functools
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from contests.measure import OURS, Contest, Scale, Target, all_pinned, cores

from polyrank.encoder import Batch, Encoder
from polyrank.files import Wanted, scan
from polyrank.files.parquet import OpenParquet

from .logs import SCHEMA, draw_rows, write_rows

ROWS_PER_S = 1.5e6
READING, ENCODING, TRAINING = "reading alone", "encoding alone", "polyrank train's reader"
WANTED = Wanted(columns=SCHEMA.feature_columns)


@dataclasses.dataclass(frozen=True)
class Logs:
    """A file, what it holds in the pieces that it is read in, and memory for its encoded rows."""

    folder: tempfile.TemporaryDirectory[str]
    file: Path
    pieces: list[pa.Table]
    out: Batch

    def encode(self, encoder: Encoder, pieces: Iterable[pa.Table]) -> Batch:
        """Encode pieces one after another into the memory."""
        first = 0
        for rows in pieces:
            encoder.encode(rows, out=self.out[first : first + len(rows)])
            first += len(rows)
        return self.out


def one_core(scale: Scale) -> Contest:
    """One core: the file to arrays, memory-mapped and as training reads it, against both halves of the work."""
    logs, encoder, limit = _logs(scale.rows), Encoder(SCHEMA, threads=1), "1.5 M rows/s"
    name = f"{scale.rows:,} rows of Parquet to ids and numbers"
    return Contest(
        keys=scale.rows,
        unit="rows",
        contenders={
            OURS: lambda: logs.encode(encoder, _mapped(logs.file)),
            TRAINING: lambda: logs.encode(encoder, _scanned(logs.file)),
            READING: lambda: sum(map(len, _mapped(logs.file))),
            ENCODING: lambda: logs.encode(encoder, logs.pieces),
        },
        targets=[
            Target(workload=f"{name}, memory-mapped", text="≥ 1.5 M rows/s", against=limit, least=1),
            Target(workload=f"{name}, {TRAINING}", text="≥ 1.5 M rows/s", against=limit, least=1, ours=TRAINING),
            Target(workload=f"{name}, memory-mapped", text="-", against=READING, least=None),
            Target(workload=f"{name}, memory-mapped", text="-", against=ENCODING, least=None),
        ],
        limits_s={limit: scale.rows / ROWS_PER_S},
    )


def two_cores(scale: Scale) -> Contest:
    """The same work where pyarrow and the encoder may use two cores, on the wall."""
    name = f"{scale.rows:,} rows of Parquet on two cores, {TRAINING}"
    target = Target(workload=name, text="-", against="one core", least=None, ours="two cores")
    both = cores()[:2]
    if len(both) == 1:
        return Contest(keys=1, contenders={}, targets=[target], absent={target.ours: "a second core is needed"})
    logs, one, two = _logs(scale.rows), Encoder(SCHEMA, threads=1), Encoder(SCHEMA, threads=2)

    def on_two_cores() -> None:
        with all_pinned(*both):
            logs.encode(two, _scanned(logs.file))

    return Contest(
        keys=scale.rows,
        unit="rows",
        contenders={target.against: lambda: logs.encode(one, _scanned(logs.file)), target.ours: on_two_cores},
        targets=[target],
        clock=time.perf_counter,
    )


@functools.cache
def _logs(count: int) -> Logs:
    """Write the file, and stop the run where it does not encode as the rows that it was made of."""
    rows, folder = draw_rows(count), tempfile.TemporaryDirectory(prefix="polyrank-")
    file = Path(folder.name, "logs.parquet")
    write_rows(rows, file)
    encoder = Encoder(SCHEMA, threads=1)
    expected = encoder.encode(rows)
    logs = Logs(folder, file, list(_mapped(file)), Batch(np.empty_like(expected.ids), np.empty_like(expected.dense)))
    for pieces in (_mapped(file), _scanned(file)):
        found = logs.encode(encoder, pieces).named()
        if not all(np.array_equal(found[name], one, equal_nan=True) for name, one in expected.named().items()):
            raise SystemExit("a file's rows are not encoded as those that it was made of")
    return logs


def _mapped(file: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(file, memory_map=True) as parquet:
        for batch in OpenParquet(parquet).batches(SCHEMA.feature_columns):
            yield pa.Table.from_batches([batch])


def _scanned(file: Path) -> Iterator[pa.Table]:
    return (piece.table for piece in scan(file, WANTED))
