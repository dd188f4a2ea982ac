"""Times, and what a time split makes of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.schema import Schema
from polyrank.times import UNITS, Times, newest

from .findings import Finding, Side

FIRST_YEAR, LAST_YEAR = 1980, 2100


class TimeInspector:
    """The times of a time split, in its unit."""

    def __init__(self, schema: Schema) -> None:
        self.column = str(schema.time)
        self.unit = schema.time_unit
        self._times = Times(schema)
        self._parts: list[NDArray[np.int64]] = []

    def add(self, column: Any) -> None:
        """Read the next rows.

        Raises:
            DataError: a time is missing or is none; a `RowError` says in which row.
        """
        self._parts.append(self._times.read(column).copy())

    def split(self, hours: float | None, share: float) -> dict[str, Side]:
        """Return both sides, as training splits them: rows of one instant stay together."""
        return self.sides(newest(np.concatenate(self._parts), self.unit, hours=hours, share=share))

    def sides(self, validates: NDArray[np.bool_]) -> dict[str, Side]:
        """Return both sides of a split, with their first and last times; `validates` marks the rows, bool [B]."""
        times = np.concatenate(self._parts)
        return {"train": self._side(times[~validates]), "validation": self._side(times[validates])}

    def share_after(self, validates: NDArray[np.bool_]) -> float:
        """Return the share of the training rows that are later than the first row that validates."""
        times = np.concatenate(self._parts)
        later = times[~validates] > times[validates].min(initial=np.iinfo(np.int64).max)
        return float(later.mean()) if len(later) else 0.0

    def findings(self, split: dict[str, Side], share: float | None) -> Iterator[Finding]:
        """Judge the sides; `share` is what validation was to get, if that was said."""
        sizes = [side.rows for side in split.values()]
        if min(sizes) < 2:  # noqa: PLR2004 (one row has no variance and no ranking)
            yield self._finding(
                "error", f"the split leaves {sizes[0]:,} rows to train on and {sizes[1]:,} to validate on"
            )
        elif share is not None and not share / 3 <= sizes[1] / sum(sizes) <= 3 * share:
            yield self._finding("warning", f"{sizes[1] / sum(sizes):.1%} of rows validate where {share:.0%} were to")
        firsts = (np.datetime64(side.first, "Y") for side in split.values() if side.first is not None)
        years = [1970 + int(first.astype(np.int64)) for first in firsts]
        odd = next((year for year in years if not FIRST_YEAR <= year <= LAST_YEAR), None)
        if odd is not None:
            yield Finding(
                level="warning",
                check="time",
                column=self.column,
                message=f"times of the year {odd} under time_unit {self.unit!r}; correct time_unit",
            )

    def _finding(self, level: Any, what: str) -> Finding:
        remedy = "many rows share an instant, or [validation] asks for another share; change it, or bring more rows"
        return Finding(level=level, check="split", column=self.column, message=f"{what}; {remedy}")

    def _side(self, times: NDArray[np.int64]) -> Side:
        if len(times) == 0:
            return Side(rows=0)
        return Side(rows=len(times), first=self._shown(times.min()), last=self._shown(times.max()))

    def _shown(self, time: np.int64) -> str:
        return str(np.array(time).astype(f"datetime64[{self.unit}]").astype("datetime64[s]"))


def may_be_time(name: str, kind: Any) -> bool:
    """Say whether a column may hold times, by its type, or by its name where it holds integers."""
    import pyarrow as pa

    parts = name.lower().split("_")
    named = any(part.startswith(("time", "ts", "date", "created")) for part in parts) or parts[-1] == "at"
    return pa.types.is_timestamp(kind) or (named and pa.types.is_integer(kind))


def looks_like_time(name: str, kind: Any, low: Any, high: Any) -> str | None:
    """Return the unit of a column that looks like times: by its type, or by its name and range; None otherwise."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return str(kind.unit)
    if not may_be_time(name, kind) or low is None:
        return None
    first, last = (np.datetime64(str(year), "s").astype(np.int64) for year in (FIRST_YEAR, LAST_YEAR))
    return next((unit for unit, size in UNITS.items() if first * size <= low <= high < last * size), None)
