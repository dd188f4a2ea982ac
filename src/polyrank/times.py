"""The time column: integers, timestamps, dates and text, as instants."""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.canonical.arrow import unpacked
from polyrank.errors import DataError, RowError
from polyrank.rows import Column, is_missing
from polyrank.schema import Schema

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units in a second."""

_AS_TEXT = "2026-07-01T12:00:00+02:00"
_KINDS = "whole numbers, timestamps, dates or ISO 8601 text"


class Times:
    """Reads the time column of a data set, a piece at a time: all pieces with a zone, or all without."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._zone: str | None = None
        self._is_first = True

    def read(self, column: Column) -> NDArray[np.int64]:
        """Read a piece as int64 [B], in the schema's unit since 1970, UTC where there is a zone.

        Raises:
            DataError: a time is missing or is none, or some have a zone and others have not.
        """
        import pyarrow.compute as pc

        name = self._schema.time
        if isinstance(column, list):
            raise DataError(f"time column {name!r} {_mixture(column)}; times of one kind expected")
        column = unpacked(column)
        if column.null_count:
            row = pc.index(column.is_null(), value=True).as_py()
            raise RowError(f"time column {name!r} is missing", row, "; a time split needs every time")
        return np.asarray(self._integers(column).to_numpy(zero_copy_only=False), np.int64)

    def _integers(self, column: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if pa.types.is_integer(kind):
            return column
        if pa.types.is_floating(kind):
            return _whole(column, self._schema)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = self._parsed(column)
        elif pa.types.is_date(kind):
            column = column.cast(pa.timestamp("s"))
        elif not pa.types.is_timestamp(kind):
            raise DataError(f"time column {self._schema.time!r} holds {kind}; {_KINDS} expected")
        return pc.cast(column, pa.timestamp(self._schema.time_unit, tz=column.type.tz), safe=False).cast(pa.int64())

    def _parsed(self, column: Any) -> Any:
        """Read ISO 8601 text."""
        import pyarrow as pa

        is_first, self._is_first = self._is_first, False
        if is_first:
            self._zone = "UTC" if len(column) and _is_time(column[0].as_py(), "UTC") else None
        try:
            return column.cast(pa.timestamp("ns", tz=self._zone))
        except pa.ArrowInvalid as err:
            texts = column.to_pylist()
            row = next(row for row, text in enumerate(texts) if not _is_time(text, self._zone))
            if _is_whole(texts[row]) and (odd := _first_odd(texts)) is not None:  # numbers, read as text for its sake
                held = f"time column {self._schema.time!r} holds {shown(texts[odd])}"
                raise RowError(
                    held, odd, f"; whole numbers, in {self._schema.time_unit}, expected, as around it"
                ) from err
            alike = f" {'with' if self._zone else 'without'} a zone, as in row 1,"
            held = f"time column {self._schema.time!r} holds {shown(texts[row])}"
            expected = f" such as {_AS_TEXT}" if is_first and row == 0 else alike
            raise RowError(held, row, f"; times{expected} expected") from err


def newest(times: NDArray[np.int64], unit: str, *, hours: float | None, share: float) -> NDArray[np.bool_]:
    """Mark the times, bool [B], of the last `hours`, or else a `share` of all; equal ones are marked alike."""
    if hours is not None:
        last = int(times.max()) - round(hours * (3_600 * UNITS[unit]))
    else:
        last = int(np.quantile(times, 1.0 - share, method="lower"))
    return np.greater(times, last)


def _whole(column: Any, schema: Schema) -> Any:
    """Read integers that became floats."""
    import pyarrow as pa
    import pyarrow.compute as pc

    exact = pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), float(2**53)))
    row = pc.index(exact, value=False).as_py()
    if row >= 0:
        held = f"time column {schema.time!r} holds {shown(column[row].as_py())}"
        raise RowError(held, row, f"; whole numbers up to 2**53 expected, in {schema.time_unit}")
    return column.cast(pa.int64())


def _is_time(text: str, zone: str | None) -> bool:
    import pyarrow as pa

    try:
        pa.scalar(text).cast(pa.timestamp("ns", tz=zone))
    except pa.ArrowInvalid:
        return False
    return True


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _first_odd(texts: list[str]) -> int | None:
    """Return the row of the first text that is no whole number."""
    return next((row for row, text in enumerate(texts) if not _is_whole(text)), None)


def _mixture(values: list[Any]) -> str:
    """Say where a column changes from one type, or from times with a zone to times without."""
    kinds = {row: _kind(value) for row, value in enumerate(values) if not is_missing(value)}
    first = next(iter(kinds.values()), "")
    row = next((row for row, kind in kinds.items() if kind != first), None)
    if row is None:
        return "holds mixed types"
    value = values[row]
    text = str(value) if isinstance(value, datetime) else shown(value)
    return f"holds {text} ({kinds[row]}) at row {row + 1:,} beside {first}"


def _kind(value: Any) -> str:
    name = type(value).__name__
    if not isinstance(value, datetime):
        return name
    return f"{name} {'with' if value.tzinfo else 'without'} zone"
