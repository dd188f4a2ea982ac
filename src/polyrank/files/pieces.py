"""Rows in pieces small enough to pass by while a file does not fit into memory."""

from collections.abc import Iterator
from typing import Any

MAX_ROWS = 65_536
MAX_BYTES = 32 * 2**20


def slices(rows: Any) -> Iterator[Any]:
    """Cut a table or a record batch, without a copy, into pieces of at most `MAX_ROWS` rows and about `MAX_BYTES`."""
    size = max(1, min(MAX_ROWS, MAX_BYTES * rows.num_rows // max(rows.nbytes, 1)))
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


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
