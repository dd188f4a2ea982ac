"""Times and durations of a join: all are int64 microseconds, since 1970 in UTC."""

import math
import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import is_number, shown
from polyrank.errors import ConfigError, DataError, RowError
from polyrank.rows import Column
from polyrank.schema import Schema
from polyrank.times import Times

Instants = NDArray[np.int64]
Unit = Literal["s", "ms", "us", "ns"]

SECOND = 1_000_000
"""Microseconds."""

EARLIEST = np.iinfo(np.int64).min
LATEST = np.iinfo(np.int64).max

_UNIT_NS: dict[Unit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DURATION_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)")
_MOST_S = 100 * 365 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(name: str, value: object) -> float:
    """Return a duration, a number of seconds or text such as `45s`, `30m`, `12h`, `7d` or `2w`, in seconds.

    Raises:
        ConfigError: it is none, or not above 0 and at most 100 years; the message calls it `name`.
    """
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        duration = float(found[1]) * _DURATION_S[found[2] or "s"]
    elif is_number(value):
        duration = float(value)
    else:
        duration = math.nan
    if not 0 < duration <= _MOST_S:
        raise ConfigError(
            f"{name} must be a duration above 0 and up to 100 years, such as 45s, 30m, 12h or 7d, got {shown(value)}"
        )
    return duration


def instant(name: str, value: object, unit: Unit) -> int:
    """Return a time: a datetime, ISO 8601 text, or an integer in `unit` since 1970; UTC where it has no zone.

    Raises:
        ConfigError: it is none; the message calls it `name`.
    """
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        found = int(value) * _UNIT_NS[unit] // 1_000
    elif isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        found = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
    else:
        found = EARLIEST
    if not EARLIEST < found < LATEST:
        expected = f"a time such as 2026-07-01T12:00:00+02:00, or an integer in {unit} since 1970"
        raise ConfigError(f"{name} must be {expected}, got {shown(value)}")
    return found


def as_datetime(instant_us: int) -> datetime:
    """Return a time as Python has it.

    Raises:
        DataError: it is outside of the years 1 to 9999, as times in another unit than the schema's are.
    """
    import pyarrow as pa

    try:
        found: datetime = pa.scalar(instant_us, pa.timestamp("us", tz="UTC")).as_py()
    except (ValueError, OverflowError) as err:
        raise DataError(
            f"times lie outside of the years 1 to 9999 ({instant_us:,} us since 1970); see time_unit of the schema"
        ) from err
    return found.replace(tzinfo=UTC)


class InstantColumn:
    """Reads a column of times, a piece at a time.

    Timestamps, dates and ISO 8601 text are taken as they are, integers in the unit of the schema.
    """

    def __init__(self, name: str, schema: Schema) -> None:
        self._name, self._unit = name, schema.time_unit
        self._times = Times(msgspec.structs.replace(schema, time=name, time_unit="us"))
        self._whole = Times(msgspec.structs.replace(schema, time=name))

    def read(self, column: Column) -> Instants:
        """Read a piece, int64 [B].

        Raises:
            DataError: a time is missing, is none, or does not fit into 64 bits of microseconds.
        """
        import pyarrow.compute as pc

        if column.null_count:
            row = pc.index(column.is_null(), value=True).as_py()
            raise RowError(f"time column {self._name!r} is missing", row, "; every row needs its time")
        return self._in_unit(column) if _is_number(column.type) else self._times.read(column)

    def _in_unit(self, column: Column) -> Instants:
        whole = self._whole.read(column)
        if self._unit == "ns":
            return np.floor_divide(whole, 1_000)
        factor = _UNIT_NS[self._unit] // 1_000
        wrong = np.abs(whole) > LATEST // factor
        if wrong.any():
            row = int(wrong.argmax())
            held = f"time column {self._name!r} holds {whole[row]}"
            raise RowError(held, row, f"; integers in {self._unit} since 1970 expected, see time_unit of the schema")
        return whole * factor


def in_unit(times: Instants, unit: Unit) -> Instants:
    """Return times as integers in a unit, int64 [B]."""
    if unit == "ns":
        return times * 1_000
    return np.floor_divide(times, _UNIT_NS[unit] // 1_000)


def _parsed(text: str) -> object:
    if re.fullmatch(r"-?[0-9]{5,}", text):
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
