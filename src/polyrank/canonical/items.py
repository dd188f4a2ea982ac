"""Python values that the extension does not know: numpy scalars, pandas markers, and all that is refused."""

import decimal
import math
from typing import Any

import numpy as np

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


def key_of(value: Any, row: int, how: Reading) -> int | bytes | None:
    """Return what stands for a value at the 0-based `row`: bytes, an integer, or None for a missing one.

    Raises:
        DataError: the value has no canonical form under the declared dtype.
    """
    if is_missing_marker(value):
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


def is_missing_marker(value: Any) -> bool:
    """Recognise None, NaN, a masked element, NaT and, without importing pandas, what pandas means by missing."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NaTType", "NAType") and type(value).__module__.startswith("pandas.")


def _integer_key(integer: int, value: object, how: Reading, row: int) -> int | bytes:
    if how.dtype == "text":
        return _digits(integer).encode()
    if not is_int64(integer):
        raise how.refusal(value, row, OUT_OF_RANGE)
    return integer


def _digits(integer: int) -> str:
    try:
        return str(integer)
    except ValueError:  # beyond sys.get_int_max_str_digits()
        return format(decimal.Decimal(integer), "f")


def _float_key(value: Any, how: Reading, row: int) -> int | bytes:
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
