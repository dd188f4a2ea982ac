"""Columns of Python objects, possibly of mixed types: one value at a time."""

import math
from typing import Any

import numpy as np

from .arrow import from_arrow
from .reading import (
    BYTES,
    NOT_DECIMAL,
    OUT_OF_RANGE,
    SURROGATE,
    Reading,
    float_refusal,
    is_int64,
    to_integer,
    type_refusal,
)

_SCALAR_TYPES: dict[frozenset[type], str] = {
    frozenset({str}): "large_string",
    frozenset({int}): "int64",
    frozenset({bool}): "bool",
    frozenset({float}): "float64",
}


def from_items(items: list[Any], how: Reading) -> Any:
    """Bring a list of Python or numpy scalars to one canonical Arrow array.

    Raises:
        DataError: a value has no canonical form under the declared dtype.
    """
    import pyarrow as pa

    kind = _SCALAR_TYPES.get(frozenset(map(type, items)) - {type(None)})
    if kind is not None:
        try:
            return from_arrow(pa.array(items, kind), how, 0)
        except (OverflowError, UnicodeEncodeError):
            pass  # an integer beyond int64 or a lone surrogate: found, or taken, one by one
    keys = [_key(value, how, row) for row, value in enumerate(items)]
    return from_arrow(pa.array(keys, "int64" if how.dtype == "int64" else "large_binary"), how, 0)


def _key(value: Any, how: Reading, row: int) -> int | bytes | None:
    if value is None or _is_missing_marker(value):
        return None
    if isinstance(value, bool | np.bool_):
        return int(value) if how.dtype == "int64" else str(bool(value)).lower().encode()
    if isinstance(value, int | np.integer):
        return _integer_key(int(value), value, how, row)
    if isinstance(value, float | np.floating):
        return _float_key(value, how, row)
    if isinstance(value, str):
        return _text_key(value, how, row)
    if isinstance(value, bytes | bytearray | memoryview):
        if how.dtype == "int64":
            raise how.refusal(value, row, BYTES)
        return bytes(value)
    raise how.refusal(value, row, type_refusal(type(value).__name__))


def _is_missing_marker(value: Any) -> bool:
    """Recognise a masked element, NaT and, without importing pandas, what pandas means by missing."""
    if value is np.ma.masked:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NaTType", "NAType") and type(value).__module__.startswith("pandas.")


def _integer_key(integer: int, value: object, how: Reading, row: int) -> int | bytes:
    if how.dtype == "text":
        return str(integer).encode()
    if not is_int64(integer):
        raise how.refusal(value, row, OUT_OF_RANGE)
    return integer


def _float_key(value: Any, how: Reading, row: int) -> int | bytes | None:
    if math.isnan(value):
        return None
    why = float_refusal(value)
    if why is not None:
        raise how.refusal(float(value), row, why)
    return _integer_key(int(value), value, how, row)


def _text_key(text: str, how: Reading, row: int) -> int | bytes | None:
    if text in how.missing:
        return None
    if how.dtype == "text":
        try:
            return text.encode()
        except UnicodeEncodeError as err:
            raise how.refusal(text, row, SURROGATE) from err
    integer = to_integer(text)
    if integer is None:
        raise how.refusal(text, row, NOT_DECIMAL)
    return _integer_key(integer, text, how, row)
