"""Columns of lists read by way of pyarrow: every layout and mixture, and the words for a value that is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.canonical.arrow import is_list
from polyrank.errors import DataError, RowError
from polyrank.fingerprint import MISSING, fingerprint
from polyrank.rows import Column, is_missing

from .groups import BagGroup, Field
from .identities import identities
from .numbers import numbers


def bag(group: BagGroup, column: Column) -> NDArray[np.int64]:
    """Fingerprint a list column, int64 [B, max_length]: the head of each list, padded with -1.

    Raises:
        DataError: the column holds no lists, or a value has no canonical form.
    """
    name = group.field.name
    lengths, values = flatten(name, column, "a bag takes lists")
    padded = np.full((len(lengths), group.max_length), MISSING, np.int64)
    _fill(padded, lengths, lambda starts: read_by_row(_fingerprints(group.field), values, starts, lengths))
    return padded


def bag_weights(group: BagGroup, column: Column, bags: Column) -> NDArray[np.float32]:
    """Read the weights of a bag, float32 [B, max_length], 0 where padded or null.

    Raises:
        DataError: the column holds no lists of numbers, or a list of another length than its bag's.
    """
    name = str(group.weights)
    lengths, values = flatten(name, column, "weights are lists")
    expected, _ = flatten(group.field.name, bags, "a bag takes lists")
    differing = lengths != expected
    if differing.any():
        row = int(differing.argmax())
        as_many = f"; as many as {group.field.name!r} has values expected, {expected[row]}"
        raise RowError(f"column {name!r} holds {lengths[row]} weights", row, as_many)
    padded = np.zeros((len(lengths), group.max_length), np.float32)
    _fill(padded, lengths, lambda starts: read_by_row(lambda part: numbers(part, name), values, starts, lengths))
    return np.nan_to_num(padded, copy=False, nan=0.0)


def _fill(padded: NDArray[Any], lengths: NDArray[np.int64], read: Callable[[NDArray[np.int64]], NDArray[Any]]) -> None:
    starts = np.cumsum(lengths) - lengths
    position = np.arange(padded.shape[1])
    filled = position < np.minimum(lengths, padded.shape[1])[:, None]
    if lengths.any():
        padded[filled] = read(starts)[(starts[:, None] + position)[filled]]


def _fingerprints(field: Field) -> Callable[[Column], NDArray[np.int64]]:
    if field.identity:
        return lambda values: identities(field, values)
    return lambda values: fingerprint(values, dtype=field.dtype, missing=field.missing, column=field.name)


def read_by_row(
    read: Callable[[Column], NDArray[Any]], values: Column, starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[Any]:
    """Read the values of all lists, end to end."""
    try:
        return read(values)
    except DataError:
        # This error counts values. The first values of all lists are one column with a value for each row, the second
        # values another: their error names the row.
        for position in range(int(lengths.max())):
            read(_take(values, starts + position, position < lengths))
        raise


def _take(values: Column, indices: NDArray[np.int64], present: NDArray[np.bool_]) -> Column:
    """Pick a value for each row, a missing one where none is present."""
    import pyarrow as pa

    if not isinstance(values, pa.Array):
        return [values[index] if there else None for index, there in zip(indices, present, strict=True)]
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):  # Arrow gathers from no view
        values = values.cast(pa.large_string() if pa.types.is_string_view(values.type) else pa.large_binary())
    return values.take(pa.array(indices, mask=~present))


def flatten(name: str, column: Column, expected: str) -> tuple[NDArray[np.int64], Column]:
    """Return how many values each row has (none for null), and all values end to end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not isinstance(column, pa.Array):
        return _flatten_plain(name, column, expected)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64), pa.nulls(0)
    if not is_list(column.type):
        raise DataError(f"column {name!r} holds {column.type}; {expected}")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths, column.flatten()


def _flatten_plain(name: str, column: Sequence[object], expected: str) -> tuple[NDArray[np.int64], list[object]]:
    lengths = np.zeros(len(column), np.int64)
    values: list[object] = []
    for row, items in enumerate(column):
        if is_missing(items):
            continue
        if not isinstance(items, list | tuple | np.ndarray):
            raise RowError(f"column {name!r} holds {shown(items)}", row, f"; {expected}")
        lengths[row] = len(items)
        values.extend(items)
    return lengths, values
