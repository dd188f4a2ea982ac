"""Rows in pieces small enough to pass by while a file does not fit into memory."""

from collections.abc import Iterator
from typing import Any

MAX_ROWS = 131_072
MAX_BYTES = 64 * 2**20


def slices(rows: Any) -> Iterator[Any]:
    """Cut a table or a record batch, without a copy, into pieces of at most `MAX_ROWS` rows and about `MAX_BYTES`."""
    size = max(1, min(MAX_ROWS, MAX_BYTES * rows.num_rows // max(rows.nbytes, 1)))
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def parquet_batches(parquet: Any, columns: list[str] | None = None) -> Iterator[Any]:
    """Read an open file as record batches of about `MAX_BYTES`, by the row group with the largest rows.

    Arrow decodes a row group as a whole, and asked for several it lets go of none before the last.
    """
    size = _batch_rows(parquet.metadata)
    for group in range(parquet.metadata.num_row_groups):
        yield from parquet.iter_batches(batch_size=size, row_groups=[group], columns=columns)


def merged(batches: Iterator[Any]) -> Iterator[Any]:
    """Join record batches that are small to such as `slices` gives."""
    import pyarrow as pa

    some: list[Any] = []
    for batch in batches:
        some.append(batch)
        if sum(part.num_rows for part in some) >= MAX_ROWS or sum(part.nbytes for part in some) >= MAX_BYTES:
            yield from pa.Table.from_batches(some).combine_chunks().to_batches()
            some = []
    if some:
        yield from pa.Table.from_batches(some).combine_chunks().to_batches()


def _batch_rows(metadata: Any) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1024, min(MAX_ROWS, int(MAX_BYTES / max(row_bytes, 1.0))))
