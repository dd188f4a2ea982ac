"""Rows that pass by a batch at a time."""

import dataclasses
from collections.abc import Iterator
from typing import Any


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
