"""What is kept of rows that pass by in pieces: the last of each value, or some at random."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.labels import groups

MIN_PENDING = 2**16


@dataclasses.dataclass(frozen=True)
class _Part:
    """Rows that are kept: `marks` int64 [n] tells them apart, `numbers` [n] is what is known of each."""

    rows: pa.Table
    marks: NDArray[np.int64]
    numbers: NDArray[np.generic]

    def take(self, places: NDArray[np.int64]) -> "_Part":
        return _Part(self.rows.take(places), self.marks[places], self.numbers[places])


def _joined(parts: list[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    rows = pa.concat_tables([part.rows for part in parts], promote_options="permissive").combine_chunks()
    marks = np.concatenate([part.marks for part in parts])
    return _Part(rows, marks, np.concatenate([part.numbers for part in parts]))


class LastRows:
    """The last row of each value of a column, and how many rows have it; a missing value has none.

    Values are told apart by their fingerprints as text, so that one value is one however its file writes it. Memory is
    that of the kept columns of twice as many rows as there are distinct values.
    """

    def __init__(self, column: str, beside: Sequence[str] = ()) -> None:
        """Prepare for rows that have `column`, and columns `beside` it, which are kept too."""
        self._column, self._kept = column, list(dict.fromkeys((column, *beside)))
        self._parts: list[_Part] = []

    def add(self, piece: pa.Table) -> None:
        """Add the next rows.

        Raises:
            DataError: a value of the column has no canonical form as text.
        """
        values = groups(piece[self._column], self._column)
        known = np.flatnonzero(values >= 0)
        lasts, counts = _last_of_each(values[known], np.ones(len(known), np.int64))
        places = known[lasts]
        self._parts.append(_Part(piece.select(self._kept).take(places).combine_chunks(), values[places], counts))
        first, *others = (len(part.marks) for part in self._parts)
        if sum(others) > max(MIN_PENDING, first):
            self._merged()

    def table(self) -> pa.Table:
        """Return a row for each value, in the order in which values came first.

        Raises:
            DataError: nothing was added.
        """
        return self._merged().rows

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each value, int64 [n], in the order of `table`."""
        return self._merged().numbers.astype(np.int64)

    def places(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where in `table` fingerprints [n] of values are, int64 [n]; -1 for those that are not there."""
        marks = self._merged().marks
        order = np.argsort(marks)
        found = np.minimum(np.searchsorted(marks[order], values), max(len(marks) - 1, 0))
        places = order[found] if len(order) else np.zeros(len(values), np.int64)
        return np.where(marks[places] == values, places, -1) if len(order) else places - 1

    def _merged(self) -> _Part:
        if not self._parts:
            raise DataError(f"there is no row, so column {self._column!r} has no value; add rows first")
        if len(self._parts) > 1:
            joined = _joined(self._parts)
            lasts, counts = _last_of_each(joined.marks, joined.numbers)
            self._parts = [dataclasses.replace(joined.take(lasts), numbers=counts)]
        return self._parts[0]


def _last_of_each(
    marks: NDArray[np.int64], numbers: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of the last of each mark, with the sum of its numbers, in the order of first places."""
    _, firsts, codes = np.unique(marks, return_index=True, return_inverse=True)
    _, from_end = np.unique(marks[::-1], return_index=True)
    sums = np.bincount(codes, weights=numbers, minlength=len(firsts)).astype(np.int64)
    order = np.argsort(firsts)
    return (len(marks) - 1 - from_end)[order], sums[order]


class SampledRows:
    """Rows at random, each set of so many equally likely: those with the smallest of random keys.

    Memory is that of twice as many rows as are sampled, and of one piece.
    """

    def __init__(self, size: int, generator: np.random.Generator) -> None:
        """Prepare to keep `size` rows, 1 or more, or all where there are fewer."""
        self._size, self._generator = size, generator
        self._parts: list[_Part] = []
        self._limit = np.inf  # the largest key that can still be among the smallest
        self._seen = 0

    def add(self, piece: pa.Table) -> None:
        """Add the next rows."""
        keys = self._generator.random(piece.num_rows)
        chosen = np.flatnonzero(keys < self._limit)
        chosen = chosen[_smallest(keys[chosen], self._size)]
        self._parts.append(_Part(piece.take(chosen).combine_chunks(), chosen + self._seen, keys[chosen]))
        self._seen += piece.num_rows
        if sum(len(part.marks) for part in self._parts) > 2 * self._size:
            self._merged()

    def table(self) -> pa.Table:
        """Return the rows, in the order in which they came.

        Raises:
            DataError: nothing was added.
        """
        return self._merged().rows

    @property
    def positions(self) -> NDArray[np.int64]:
        """Which of all rows they are, int64 [n], from 0, ascending."""
        return self._merged().marks

    def _merged(self) -> _Part:
        if not self._parts:
            raise DataError("there is no row to draw from; add rows first")
        kept = _joined(self._parts)
        kept = kept.take(_smallest(kept.numbers, self._size))
        self._parts = [kept]
        if len(kept.marks) == self._size:
            self._limit = float(kept.numbers.max())
        return kept


def _smallest(keys: NDArray[np.generic], size: int) -> NDArray[np.int64]:
    """Return the places of the smallest keys, in ascending order of places."""
    if len(keys) <= size:
        return np.arange(len(keys))
    return np.sort(np.argpartition(keys, size - 1)[:size])
