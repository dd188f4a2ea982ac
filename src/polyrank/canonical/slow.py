"""What happens when the extension does not know a layout, or refuses a value: rare, so it may be slow."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from polyrank.errors import DataError

from .arrow import import_arrow, known_chunks, shown
from .reading import CHANGED, REASONS, Reading


def known_rows(rows: Any, how: Reading) -> Any:
    """Bring rows of a layout that the extension does not know to one that it does.

    Raises:
        DataError: a categorical feature takes no such type, or `rows` is a whole table.
    """
    if isinstance(rows, np.ndarray):
        # Iterating keeps numpy's own scalars, where tolist() would make integers of datetime64[ns].
        return list(rows)
    if _is_table(rows):
        raise no_column(rows, how.column)
    return known_chunks(_imported(rows, how), how)


def no_column(values: object, column: str) -> DataError:
    """Return the error for what is not a column."""
    remedy = "fingerprint_one takes a single value"
    if _is_table(values):
        remedy = "pick one of its columns"
    elif isinstance(values, Iterable) and not isinstance(values, str | bytes | bytearray | memoryview):
        remedy = "make it a list"
    kind = type(values).__name__
    return DataError(f"column {column!r} must be an array or a list of values, got {kind}; {remedy}")


def _is_table(values: object) -> bool:
    return hasattr(type(values), "columns")


def worded(rows: Any, how: Reading, reason: str, row: int) -> DataError:
    """Return the error for the value at the 0-based `row` that the extension refused for `reason`."""
    return how.refusal(_value(rows, how, row), row, REASONS[reason])


def _value(rows: Any, how: Reading, row: int) -> object:
    if isinstance(rows, list | np.ndarray):
        try:
            value = rows[row]
        except IndexError as err:
            raise DataError(f"column {how.column!r} {CHANGED}") from err
        return value.item() if isinstance(value, np.generic) else value
    for chunk in _imported(rows, how).chunks:
        if row < len(chunk):
            return shown(_decoded(chunk, row), 0)
        row -= len(chunk)
    return None


def _decoded(array: Any, row: int) -> Any:
    """Return the array of length 1 that holds the value at `row`, out of its dictionary if it has one."""
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        return array[row : row + 1]
    index = array.indices[row].as_py()
    return array.dictionary[index : index + 1]


def _imported(rows: Any, how: Reading) -> Any:
    import pyarrow as pa

    try:
        return import_arrow(rows)
    except (pa.ArrowException, TypeError, ValueError) as err:
        raise how.unreadable(rows, err) from err
