"""One side of a split."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .rows import EncodedRows
from .storage import Storage

CHUNK_ROWS = 65_536
"""A multiple of what is predicted at once, so that answers do not depend on the number of rows."""


class Selection:
    """Some rows of a storage, in its order; positions count them from 0."""

    def __init__(self, storage: Storage, is_chosen: NDArray[np.bool_]) -> None:
        """Select the rows that `is_chosen`, bool of the storage's length, marks."""
        self._storage = storage
        self._is_chosen = is_chosen
        self._first_rows = np.concatenate([[0], np.cumsum(storage.lengths, dtype=np.int64)])
        marks = (is_chosen[first:last] for first, last in zip(self._first_rows, self._first_rows[1:], strict=False))
        self._positions = np.concatenate([[0], np.cumsum([np.count_nonzero(part) for part in marks], dtype=np.int64)])

    def __len__(self) -> int:
        """Return how many rows are selected."""
        return int(self._positions[-1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which rows of the data set these are, ascending."""
        return np.flatnonzero(self._is_chosen)

    @property
    def row_bytes(self) -> int:
        """How many bytes an encoded row takes."""
        return self._storage.piece(0).row_bytes

    def read(self, *ranges: tuple[int, int]) -> EncodedRows:
        """Copy the rows at the positions in [start, stop) of each range, one range after the other; all without one."""
        ranges = ranges or ((0, len(self)),)
        copy = self._storage.piece(0).empty(sum(stop - start for start, stop in ranges))
        filled = 0
        for start, stop in ranges:
            self._fill(copy, filled, start, stop)
            filled += stop - start
        self._storage.release()
        return copy

    def chunks(self) -> Iterator[EncodedRows]:
        """Copy the rows, `CHUNK_ROWS` at a time."""
        for start in range(0, len(self), CHUNK_ROWS):
            yield self.read((start, min(start + CHUNK_ROWS, len(self))))

    def _fill(self, copy: EncodedRows, filled: int, start: int, stop: int) -> None:
        for index in self._pieces(start, stop):
            first, begin = self._first_rows[index], self._positions[index]
            chosen = np.flatnonzero(self._is_chosen[first : self._first_rows[index + 1]])
            chosen = chosen[max(start - begin, 0) : stop - begin]
            copy.copy_from(self._storage.piece(index), chosen, filled)
            filled += len(chosen)

    def _pieces(self, start: int, stop: int) -> Sequence[int]:
        first = int(np.searchsorted(self._positions, start, side="right")) - 1
        last = int(np.searchsorted(self._positions, stop, side="left"))
        return range(first, last)
