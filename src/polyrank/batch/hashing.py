"""Columns of fingerprints for one batch of rows."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.canonical.arrow import is_list
from polyrank.errors import DataError, RowError
from polyrank.fingerprint import fingerprint, fingerprint_cross
from polyrank.separated import split_lists, split_weighted

from .columns import Cross, Hashed, HashedColumn


def fingerprint_type(column: Hashed) -> Any:
    """Return the Arrow type of a column of fingerprints: int64, or a list of int64 for a bag."""
    import pyarrow as pa

    is_bag = isinstance(column, HashedColumn) and column.is_bag
    return pa.list_(pa.int64()) if is_bag else pa.int64()


def hash_batch(batch: Any, column: Hashed, first_row: int) -> Any:
    """Hash a column, or several as a cross, of a record batch that `first_row` rows of the file precede.

    Raises:
        DataError: a value has no canonical form; the message names column, value and row of the file.
    """
    import pyarrow as pa

    with _rows_of_file(first_row):
        if isinstance(column, Cross):
            return pa.array(_hash_cross(batch, column))
        values = batch.column(column.name)
        return _hash_bag(values, column) if column.is_bag else pa.array(_hash_values(values, column))


@contextlib.contextmanager
def _rows_of_file(first_row: int) -> Iterator[None]:
    try:
        yield
    except RowError as err:
        raise err.after(first_row) from err


def _hash_values(values: Any, column: HashedColumn) -> NDArray[np.int64]:
    return fingerprint(values, dtype=column.dtype, missing=column.missing, column=column.name)


def _hash_cross(batch: Any, cross: Cross) -> NDArray[np.int64]:
    return fingerprint_cross(
        [batch.column(part.name) for part in cross.parts],
        dtypes=[part.dtype for part in cross.parts],
        missing=[part.missing for part in cross.parts],
        columns=[part.name for part in cross.parts],
    )


def _hash_bag(lists: Any, column: HashedColumn) -> Any:
    """Fingerprint the values of each list; a null list stays null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = _split(lists, column)
    if pa.types.is_null(lists.type):
        return pa.nulls(len(lists), fingerprint_type(column))
    if not any(test(lists.type) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)):
        raise DataError(f"column {column.name!r} holds {lists.type}; a bag takes lists")
    if is_list(lists.type.value_type):
        raise DataError(f"column {column.name!r} holds lists of lists; a bag takes lists of values: flatten each row")
    try:
        fingerprints = _hash_values(lists.flatten(), column)
    except RowError:
        _refuse_with_row(lists, column)
        raise
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(fingerprints), mask=lists.is_null())


def _split(lists: Any, column: HashedColumn) -> Any:
    if column.separator is None:
        return lists
    if column.weight_separator is None:
        return split_lists(lists, column.name, column.separator)
    return split_weighted(lists, column.name, column.separator, column.weight_separator)[0]


def _refuse_with_row(lists: Any, column: HashedColumn) -> None:
    """Raise for the first value that is refused, with the row of its list."""
    for row in range(len(lists)):
        values = lists.slice(row, 1).flatten()
        for position in range(len(values)):
            with _rows_of_file(row):
                _hash_values(values.slice(position, 1), column)
