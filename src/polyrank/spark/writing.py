"""What a task does with its rows on the way to a shard: one file, of this attempt alone, whole or not at all."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import OutputError
from polyrank.schema import Schema
from polyrank.staging import flush

from .frames import renamed
from .kernel import without_row

if TYPE_CHECKING:
    from polyrank.train import TrainConfig
    from polyrank.train.encoded import EncodedRows

PIECE_ROWS = 65_536
"""Rows of a piece of a shard, which training reads and checks at once."""

WRITTEN = "partition int, file string, num_rows bigint, size_bytes bigint, digest string"
"""What a task says of the shard that it wrote, as columns of Spark."""


def shard_writer(
    schema: Schema, config: "TrainConfig", folder: Path, read: tuple[str, ...]
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return a function that writes the rows of a partition, and says what it wrote; nothing of an empty partition.

    Each attempt at a partition has a file of its own, so that those that run twice, or after one that died, never
    meet. Spark tells the driver of one of them alone.
    """

    def written(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None  # noqa: S101 (this runs in tasks alone)
        if not folder.is_dir():
            raise OutputError(not_shared(folder.parents[1]))
        attempt = f"{context.partitionId():05d}-{context.taskAttemptId()}-{secrets.token_hex(4)}"
        if (found := write_shard(folder / attempt, schema, config, _pieces(batches, read))) is not None:
            yield pa.record_batch([[value] for value in (context.partitionId(), attempt, *found)], _result_schema())

    return written


def write_shard(
    file: Path, schema: Schema, config: "TrainConfig", tables: Iterator[Any]
) -> tuple[int, int, str] | None:
    """Encode tables into an Arrow file; return rows, bytes and digest, None where there is no row."""
    from polyrank.train.encoded.arrow import write_rows
    from polyrank.train.encoded.identity import digest
    from polyrank.train.encoded.manifest import described_by, way_of

    first = next(tables, None)
    if first is None:
        return None
    count = 0

    def encoded() -> "Iterator[EncodedRows]":
        nonlocal count
        for rows in _encoded(schema, config, first, tables):
            count += len(rows)
            yield rows

    checksums = write_rows(file, described_by(way_of(schema, config)), encoded())
    flush(file)
    return count, file.stat().st_size, digest(checksums)


def not_shared(folder: Path) -> str:
    """Say that driver and executors do not see the same in the folder that `out` lies in."""
    return f"out lies in {folder}, which is not the same on driver and executors; name a directory that they share"


def _encoded(schema: Schema, config: "TrainConfig", first: Any, tables: Iterator[Any]) -> "Iterator[EncodedRows]":
    from polyrank.train.encoded import RowEncoder

    encoder = RowEncoder(schema, config.validation)
    with without_row():
        yield encoder.encode(first)
        for table in tables:
            yield encoder.encode(table)


def _pieces(batches: Iterator[Any], read: tuple[str, ...]) -> Iterator[Any]:
    """Put batches together to pieces of at least as many rows; the last may have fewer."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in batches:
        if batch.num_rows > 0:
            waiting.append(renamed(batch, read))
        if sum(map(len, waiting)) >= PIECE_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _result_schema() -> Any:
    import pyarrow as pa

    names = [column.split()[0] for column in WRITTEN.split(", ")]
    return pa.schema(list(zip(names, [pa.int32(), pa.string(), pa.int64(), pa.int64(), pa.string()], strict=True)))
