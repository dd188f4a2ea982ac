"""What a split makes of the rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.errors import RowError
from polyrank.schema import Schema

from .check_config import CheckConfig
from .findings import Finding, Side
from .moments import TimeInspector, looks_like_time, may_be_time

SIDES = ("train", "validation")


class SplitInspector:
    """Reads what the split looks at: times, the column that says it, or columns of times that no schema names.

    Attributes:
        name: of the column that a fault is told of.
    """

    def __init__(self, schema: Schema, types: dict[str, Any], config: CheckConfig) -> None:
        self._config, self._types = config, types
        self._has_time = schema.time is not None
        self._column = config.validation_column
        self.name = self._column or schema.time or ""
        self._time = TimeInspector(schema) if schema.time in types else None
        self._said: list[NDArray[np.bool_]] | None = [] if self._column in types else None
        names = () if self._has_time else (name for name, kind in types.items() if may_be_time(name, kind))
        self._ranges: dict[str, tuple[Any, Any]] = dict.fromkeys(names, (None, None))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read and that the schema does not name."""
        return tuple(self._ranges) if self._said is None else (str(self._column), *self._ranges)

    def add(self, table: Any) -> None:
        """Read the next rows.

        Raises:
            DataError: a time, or what the column says, is missing or wrong; a `RowError` says in which row.
        """
        if self._time is not None:
            self._time.add(table.column(self._time.column))
        if self._said is not None:
            self._said.append(_validates(table.column(self._column), str(self._column)))
        for name, known in self._ranges.items():
            self._ranges[name] = _stretched(known, table.column(name))

    def give_up(self) -> None:
        """Read times, and what the column says, no further."""
        self._time, self._said = None, None

    def sides(self, rows: int) -> dict[str, Side]:
        """Return the sides of the split, after the last of `rows` rows; nothing where they cannot be told."""
        if self._column is not None:
            return {} if self._said is None else self._sides(np.concatenate(self._said))
        if self._time is not None:
            return self._time.split(self._config.validation_hours, self._config.validation_share)
        if self._has_time:
            return {}
        held_out = max(1, round(rows * self._config.validation_share))
        return {"train": Side(rows=rows - held_out), "validation": Side(rows=held_out)}

    def findings(self, sides: dict[str, Side]) -> Iterator[Finding]:
        """Judge the sides."""
        hours, share = self._config.validation_hours, self._config.validation_share
        if self._time is not None and sides:
            yield from self._time.findings(sides, share if hours is None and self._column is None else None)
        elif sides and min(side.rows for side in sides.values()) < 2:  # noqa: PLR2004 (as training asks for)
            message = f"leaves {sides['train'].rows:,} rows to train on and {sides['validation'].rows:,} to validate on"
            yield Finding(level="error", check="split", column=self._column, message=f"{message}; bring more rows")
        if self._time is not None and self._said is not None:
            yield from self._overlap(self._time.share_after(np.concatenate(self._said)))
        if not self._has_time and hours is not None:
            message = "validation hours need a time column; name one: time = '...'"
            yield Finding(level="error", check="split", message=message)
        if self._column is None:
            yield from self._unnamed()

    def _sides(self, validates: NDArray[np.bool_]) -> dict[str, Side]:
        if self._time is not None:
            return self._time.sides(validates)
        counts = (int((~validates).sum()), int(validates.sum()))
        return {name: Side(rows=count) for name, count in zip(SIDES, counts, strict=True)}

    def _overlap(self, share: float) -> Iterator[Finding]:
        if share > 0:
            message = f"{share:.1%} of training rows are later than the first that validates, so that the future trains"
            message = f"{message}; let the newest rows validate"
            yield Finding(level="warning", check="split", column=self._column, message=message)

    def _unnamed(self) -> Iterator[Finding]:
        for name, (low, high) in self._ranges.items():
            unit = looks_like_time(name, self._types[name], low, high)
            if unit is not None:
                message = (
                    "looks like the time of a row, and rows are split at random, so that the future trains; "
                    f'add time = "{name}" and time_unit = "{unit}"'
                )
                yield Finding(level="warning", check="split", column=name, message=message)


def _validates(column: Any, name: str) -> NDArray[np.bool_]:
    """Say for each row whether the column says `validation`, bool [B]."""
    values = column.to_pylist()
    for row, value in enumerate(values):
        if value not in SIDES:
            raise RowError(f"split column {name!r} holds {shown(value)}", row, "; 'train' or 'validation' expected")
    return np.array([value == "validation" for value in values], bool)


def _stretched(known: tuple[Any, Any], column: Any) -> tuple[Any, Any]:
    """Widen the range of a column of integers by the next of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type):
        return known
    ends = [end for end in (*known, *pc.min_max(column).as_py().values()) if end is not None]
    return min(ends, default=None), max(ends, default=None)
