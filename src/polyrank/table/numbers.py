"""Columns of numbers read by way of pyarrow: every type it has a number for, and the words for what is none."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.errors import DataError, RowError
from polyrank.rows import Column, is_missing

if TYPE_CHECKING:
    import pyarrow as pa


def numbers(column: Column, name: str) -> NDArray[np.float32]:
    """Read a column as float32 [B], NaN where missing.

    Raises:
        DataError: the column holds something that is not a number, or no finite float32.
    """
    import pyarrow as pa

    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else _plain_numbers(column, name)
    if not _is_number(array.type):
        _refuse_text(array, name)
        raise DataError(f"column {name!r} holds {array.type}; numbers expected")
    # Decimals and booleans have no direct way to float32; double is exact for what float32 keeps.
    wide = np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    infinite = np.isinf(narrow)
    if infinite.any():
        row = int(infinite.argmax())
        raise RowError(f"column {name!r} holds {wide[row]}", row, "; finite 32-bit numbers expected")
    return narrow


def logged_numbers(column: Column, name: str) -> NDArray[np.float32]:
    """Read a column that log1p transforms; see `numbers`.

    Raises:
        DataError: as for `numbers`, or a number is below 0.
    """
    values = numbers(column, name)
    negative = values < 0
    if negative.any():
        row = int(negative.argmax())
        allowed = "; its transform log1p takes numbers of 0 and above"
        raise RowError(f"column {name!r} holds {values[row]}", row, allowed)
    return values


def _refuse_text(array: "pa.Array", name: str) -> None:
    """Name the first text of a column that is no number; of one that holds numbers alone, say how to give them."""
    import pyarrow as pa

    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return
    texts = array.to_pylist()
    row = next((row for row, text in enumerate(texts) if text is not None and not _reads_as_number(text)), None)
    if row is not None:
        raise RowError(f"column {name!r} holds {shown(texts[row])}", row, "; numbers expected")
    raise DataError(f"column {name!r} holds {array.type}; numbers expected: cast it to float64")


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def _plain_numbers(values: Sequence[object], name: str) -> "pa.Array":
    """Numbers out of a list that Arrow has no one type for, such as [True, 2] or [2**64, 1]."""
    import pyarrow as pa

    for row, value in enumerate(values):
        if not is_missing(value) and not isinstance(value, int | float | np.number | np.bool_):
            raise RowError(f"column {name!r} holds {shown(value)}", row, "; numbers expected")
    return pa.array([None if is_missing(value) else _as_float(value) for value in values], pa.float64())


def _as_float(value: Any) -> float:
    """Return the float; infinity for an integer beyond all floats, which the check for finite numbers then names."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
