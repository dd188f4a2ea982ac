"""Rows in whatever form they arrive, seen as named columns.

A pyarrow table, record batch or dataset, a pandas or polars frame, a DuckDB relation, anything with
`__arrow_c_stream__` or `__arrow_c_array__`, or a list of dicts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from polyrank.errors import DataError, RowError
from polyrank.reasons import first_line
from polyrank.spelling import suggestion

Rows = Any
"""pyarrow.Table | pyarrow.RecordBatch | pandas.DataFrame | polars.DataFrame | Sequence[Mapping[str, object]]."""

Column = Any
"""pyarrow.Array | pyarrow.ChunkedArray | list[object]: a list where Arrow has no one type for what it holds."""


def columns_of(rows: Rows, names: Sequence[str]) -> dict[str, Column]:
    """Pick the named columns out of `rows`; other columns are left alone.

    Raises:
        DataError: `rows` is not a table, holds no row, lacks one of the columns, or holds one of them twice.
    """
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
        return _from_dicts(rows, names)
    if hasattr(rows, "iloc") and hasattr(rows, "columns"):
        return _from_pandas(rows, names)
    return _from_arrow(rows, names)


def is_missing(value: object) -> bool:
    """Say whether a single value is None, NaN, or what pandas means by missing."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NaTType", "NAType")


def num_rows(columns: Mapping[str, Column]) -> int:
    """Return how many rows the columns have."""
    return len(next(iter(columns.values())))


def _from_arrow(rows: Rows, names: Sequence[str]) -> dict[str, Column]:
    import pyarrow as pa

    rows = _collected(rows, names)
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if not isinstance(rows, pa.Table):
        is_batch = hasattr(rows, "__arrow_c_array__") and not isinstance(rows, pa.Array)
        if not (hasattr(rows, "__arrow_c_stream__") or is_batch):
            raise DataError(
                f"rows must be a pyarrow table, a pandas or polars frame or a list of dicts, got {type(rows).__name__}"
            )
        rows = _import_stream(rows)
    _check(names, rows.column_names, rows.num_rows)
    return {name: rows.column(name) for name in names}


def _collected(rows: Rows, names: Sequence[str]) -> Rows:
    """Read what stands for rows that are not read yet: a dataset of pyarrow, a lazy frame of polars.

    Only the named columns are read; where one is not there, one row of all columns, for what a message lists.
    """
    kind = type(rows)
    if kind.__module__ == "pyarrow._dataset" and hasattr(rows, "to_table"):
        return _read_dataset(rows, names)
    if kind.__name__ == "LazyFrame" and kind.__module__.startswith("polars."):
        is_whole = set(names) <= set(rows.collect_schema().names())
        return (rows.select(names) if is_whole else rows.head(1)).collect()
    return rows


def _read_dataset(rows: Any, names: Sequence[str]) -> Any:
    import pyarrow as pa

    try:
        return rows.to_table(columns=list(names)) if set(names) <= set(rows.schema.names) else rows.head(1)
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"rows of type {type(rows).__name__} cannot be read: {first_line(err)}") from err


def _import_stream(rows: Rows) -> Any:
    import pyarrow as pa

    try:
        return pa.table(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as err:
        raise DataError(f"rows of type {type(rows).__name__} are not a table: {err}") from err


def _from_pandas(frame: Any, names: Sequence[str]) -> dict[str, Column]:
    _check(names, [str(column) for column in frame.columns], len(frame))
    by_text = {str(column): column for column in frame.columns}
    return {name: _array_or_list(frame[by_text[name]]) for name in names}


def _from_dicts(rows: Sequence[Mapping[str, object]], names: Sequence[str]) -> dict[str, Column]:
    rows = list(rows)  # another thread may change the list, and each row
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise RowError(f"rows must be dicts, got {type(row).__name__}", index, "")
    present = dict.fromkeys(key for row in rows for key in tuple(row))
    _check(names, [str(key) for key in present], len(rows))
    return {name: _array_or_list([row.get(name) for row in rows]) for name in names}


def _array_or_list(values: Any) -> Column:
    """Return an Arrow array, or the plain values where no Arrow type holds them all, as with 46, "46" and 46.0."""
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=True)
        return list(values) if _are_times(values, array.type) and _mixes_zones(values) else array
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        return list(values)


def _are_times(values: Any, kind: Any) -> bool:
    """Say whether Arrow made times of Python objects, not of a column of times."""
    import pyarrow as pa

    return pa.types.is_timestamp(kind) and getattr(values, "dtype", None) in (None, np.dtype(object))


def _mixes_zones(values: Any) -> bool:
    """Say whether times with a zone stand beside times without, which Arrow takes for UTC."""
    # NaT is a datetime that equals nothing.
    times = (value for value in values if isinstance(value, datetime) and value == value)  # noqa: PLR0124
    return len({value.tzinfo is None for value in times}) > 1


def _check(names: Sequence[str], present: Sequence[str], count: int) -> None:
    """Raise the one line that says what the rows lack."""
    if count == 0:
        raise DataError("rows must hold at least one row, got none")
    missing = [name for name in names if name not in present]
    if missing:
        unknown = [name for name in present if name not in names]
        raise DataError(
            f"column {missing[0]!r} is missing{_more(missing)}{suggestion(missing[0], unknown)}{_listing(unknown)}"
        )
    for name in names:
        if present.count(name) > 1:
            raise DataError(f"column {name!r} is there {present.count(name)} times; columns must be unique")


def _more(missing: Sequence[str]) -> str:
    return f", with {len(missing) - 1} more: {', '.join(map(repr, missing[1:6]))}" if len(missing) > 1 else ""


def _listing(unknown: Sequence[str]) -> str:
    shown = ", ".join(map(repr, unknown[:6]))
    return f" (columns the schema does not know: {shown}{', ...' if len(unknown) > 6 else ''})" if unknown else ""  # noqa: PLR2004
