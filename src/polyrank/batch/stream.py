"""Rows that pass by a batch at a time."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from polyrank.files import MAX_BYTES, MAX_ROWS


@dataclasses.dataclass(frozen=True, slots=True)
class RowStream:
    """Rows of a file.

    Attributes:
        schema: Arrow schema of the batches.
        num_rows: how many there are, None where only reading tells.
        batches: pairs of record batches: the rows to keep, and the same rows to hash.
    """

    schema: Any
    num_rows: int | None
    batches: Iterator[tuple[Any, Any]]


def merged(batches: Iterator[Any]) -> Iterator[Any]:
    """Join batches as small as blocks are: each batch becomes a row group of the output."""
    import pyarrow as pa

    some: list[Any] = []
    for batch in batches:
        some.append(batch)
        if sum(part.num_rows for part in some) >= MAX_ROWS or sum(part.nbytes for part in some) >= MAX_BYTES:
            yield from pa.Table.from_batches(some).combine_chunks().to_batches()
            some = []
    if some:
        yield from pa.Table.from_batches(some).combine_chunks().to_batches()
