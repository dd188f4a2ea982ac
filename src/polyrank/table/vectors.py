"""Columns of vectors read by way of pyarrow: every layout and mixture, and the words for a vector that is refused."""

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import RowError
from polyrank.rows import Column, is_missing

from .groups import VectorGroup
from .lists import flatten, read_by_row
from .numbers import numbers


def vectors(group: VectorGroup, column: Column) -> NDArray[np.float32]:
    """Read a list column as float32 [B, dim], NaN where the list is missing.

    Raises:
        DataError: the column holds no lists of numbers, a list has another length than `dim`, or a number is missing.
    """
    lengths, values = flatten(group.name, column, "a vector takes lists")
    present = ~_is_missing(column)
    _require(present & (lengths != group.dim), group, lengths)
    found = np.full((len(lengths), group.dim), np.nan, np.float32)
    if present.any():
        starts = np.cumsum(lengths) - lengths
        read = read_by_row(lambda part: numbers(part, group.name), values, starts, lengths)
        found[present] = read.reshape(-1, group.dim)
    absent = present & np.isnan(found).any(axis=1)
    if absent.any():
        row = int(absent.argmax())
        position = int(np.isnan(found[row]).argmax())
        lack = f"column {group.name!r} lacks number {position + 1} of its vector"
        raise RowError(lack, row, "; a vector is whole, or missing as a whole")
    return found


def _require(wrong: NDArray[np.bool_], group: VectorGroup, lengths: NDArray[np.int64]) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        held = f"column {group.name!r} holds a vector of {lengths[row]} numbers"
        raise RowError(held, row, f"; {group.dim} expected")


def _is_missing(column: Column) -> NDArray[np.bool_]:
    import pyarrow as pa

    if isinstance(column, pa.Array | pa.ChunkedArray):
        return np.asarray(column.is_null().to_numpy(zero_copy_only=False), bool)
    return np.array([is_missing(value) for value in column], bool)
