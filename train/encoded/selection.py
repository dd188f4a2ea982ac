"""One side of a split."""

import dataclasses
from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyrank.models.trained import PREDICTED_ROWS

from .rows import EncodedRows
from .storage import Storage

MAX_CHUNK_BYTES = 64 * 2**20


class Selection:
    """Some rows of a storage, in its order; positions count them from 0."""

    def __init__(self, storage: Storage, is_chosen: NDArray[np.bool_]) -> None:
        """Select the rows that `is_chosen`, bool of the storage's length, marks."""
        self._storage = storage
        self._tasks = slice(None)
        self._is_chosen = is_chosen
        self._first_rows = np.concatenate([[0], np.cumsum(storage.lengths, dtype=np.int64)])
        marks = (is_chosen[first:last] for first, last in zip(self._first_rows, self._first_rows[1:], strict=False))
        self._positions = np.concatenate([[0], np.cumsum([np.count_nonzero(part) for part in marks], dtype=np.int64)])

    def of_task(self, index: int) -> Self:
        """Return the same rows with the labels of one task alone."""
        other = type(self)(self._storage, self._is_chosen)
        other._tasks = slice(index, index + 1)  # noqa: SLF001 (a copy of this one)
        return other

    def __len__(self) -> int:
        """Return how many rows are selected."""
        return int(self._positions[-1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which rows of the data set these are, ascending."""
        return np.flatnonzero(self._is_chosen)

    def digest(self) -> str:
        """Return hexadecimal digits that stand for all rows of the storage."""
        return self._storage.digest()

    @property
    def row_bytes(self) -> int:
        """How many bytes an encoded row takes."""
        return self._piece(0).row_bytes

    def read(
        self, *ranges: tuple[int, int], over: EncodedRows | None = None, kept: NDArray[np.bool_] | None = None
    ) -> EncodedRows:
        """Copy the rows at the positions in [start, stop) of each range, one range after the other; all without one.

        Of these, `kept` may mark which to copy, bool, as long as the ranges together.
        Rows that were read before and are done with may be given to be written `over`, as far as they reach: memory
        that the system gave already costs less than new one.
        """
        ranges = ranges or ((0, len(self)),)
        marks = np.ones(sum(stop - start for start, stop in ranges), bool) if kept is None else kept
        count = int(np.count_nonzero(marks))
        is_enough = over is not None and len(over) >= count
        copy = over.head(count) if over is not None and is_enough else self._piece(0).empty(count)
        filled = seen = 0
        for start, stop in ranges:
            for index, chosen in self._parts(start, stop):
                wanted = chosen[marks[seen : seen + len(chosen)]]
                copy.copy_from(self._piece(index), wanted, filled)
                filled, seen = filled + len(wanted), seen + len(chosen)
                self._storage.release()
        return copy

    def chunks(self, *, rank: int = 0, world_size: int = 1) -> Iterator[EncodedRows]:
        """Copy the rows, about `MAX_CHUNK_BYTES` at a time, and whole multiples of what is predicted at once.

        Of several ranks each takes every `world_size`-th block of what is predicted at once.
        """
        size = PREDICTED_ROWS
        if world_size == 1:
            size *= max(1, MAX_CHUNK_BYTES // (self.row_bytes * PREDICTED_ROWS))
        for start in range(rank * size, len(self), world_size * size):
            yield self.read((start, min(start + size, len(self))))

    def expect(self, *ranges: tuple[int, int]) -> None:
        """Prepare for ranges to be read soon, without waiting for them."""
        for start, stop in ranges:
            for index, chosen in self._parts(start, stop):
                self._storage.expect(index, int(chosen[0]), int(chosen[-1]) + 1)

    def _piece(self, index: int) -> EncodedRows:
        rows = self._storage.piece(index)
        return dataclasses.replace(rows, labels=rows.labels[:, self._tasks])

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield the pieces that hold the positions of a range, each with the numbers of its rows there."""
        first = int(np.searchsorted(self._positions, start, side="right")) - 1
        last = int(np.searchsorted(self._positions, stop, side="left"))
        for index in range(first, last):
            row, begin = self._first_rows[index], self._positions[index]
            chosen = np.flatnonzero(self._is_chosen[row : self._first_rows[index + 1]])
            chosen = chosen[max(start - begin, 0) : stop - begin]
            if len(chosen) > 0:
                yield index, chosen
