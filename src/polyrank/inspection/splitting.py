"""What a split makes of the rows."""

from collections.abc import Iterator
from typing import Any

from polyrank.schema import Schema

from .findings import Finding, Side
from .moments import TimeInspector, looks_like_time, may_be_time


class SplitInspector:
    """Reads what the split looks at: the time column, or columns that look like one where the schema names none."""

    def __init__(self, schema: Schema, types: dict[str, Any], hours: float | None, share: float) -> None:
        self._hours, self._share, self._types = hours, share, types
        self._has_time = schema.time is not None
        self.name = schema.time or ""
        self._time = TimeInspector(schema) if schema.time in types else None
        names = () if self._has_time else (name for name, kind in types.items() if may_be_time(name, kind))
        self._ranges: dict[str, tuple[Any, Any]] = dict.fromkeys(names, (None, None))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read and that training does not read."""
        return tuple(self._ranges)

    def add(self, table: Any) -> None:
        """Read the next rows.

        Raises:
            DataError: a time is missing or wrong; a `RowError` says in which row.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._time is not None:
            self._time.add(table.column(self._time.column))
        for name, known in self._ranges.items():
            if pa.types.is_integer(table.schema.field(name).type):
                ends = [end for end in (*known, *pc.min_max(table.column(name)).as_py().values()) if end is not None]
                self._ranges[name] = (min(ends, default=None), max(ends, default=None))

    def drop(self) -> None:
        """Read times no further."""
        self._time = None

    def sides(self, rows: int) -> dict[str, Side]:
        """Return the sides of the split, after the last of `rows` rows; nothing where times cannot be read."""
        if self._time is not None:
            return self._time.split(self._hours, self._share)
        if self._has_time:
            return {}
        held_out = max(1, round(rows * self._share))
        return {"train": Side(rows=rows - held_out), "validation": Side(rows=held_out)}

    def findings(self, sides: dict[str, Side]) -> Iterator[Finding]:
        """Judge the sides."""
        if self._time is not None:
            yield from self._time.findings(sides, None if self._hours is not None else self._share)
        if not self._has_time and self._hours is not None:
            message = "validation hours need a time column; name one: time = '...'"
            yield Finding(level="error", check="split", message=message)
        for name, (low, high) in self._ranges.items():
            unit = looks_like_time(name, self._types[name], low, high)
            if unit is not None:
                message = (
                    "looks like the time of a row, and rows are split at random, so that the future trains; "
                    f'add time = "{name}" and time_unit = "{unit}"'
                )
                yield Finding(level="warning", check="split", column=name, message=message)
