"""Where event time is cut: which labels are due, which are learned from, and which are held out to judge on.

A label is due when its window is over. Labels of a task that are due are cut once more: the newest `holdout` of them
judge, the others are learned from. So each task has a hold-out of its newest labels, however long they take.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.tasks import Task
from polyrank.times import Times

from .findings import RowsFound

if TYPE_CHECKING:
    import pyarrow as pa

Moments = NDArray[np.int64]
"""Microseconds since 1970, UTC."""

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def as_time(moment_us: int) -> datetime:
    """Return microseconds since 1970 as a time."""
    return _EPOCH + timedelta(microseconds=moment_us)


def moments_of(schema: Schema, rows: "pa.Table") -> Moments:
    """Read the time column of rows, int64 [B].

    Raises:
        DataError: a time is missing or is none.
    """
    own = Times(schema).read(rows[schema.time])
    return own.astype(f"datetime64[{schema.time_unit}]").astype("datetime64[us]").astype(np.int64)


def joint_windows(schema: Schema, windows_s: Mapping[str, float]) -> dict[str, float]:
    """Return how long the labels of each task are waited for: as long as those of what they are observed under."""
    of_label = {task.label: windows_s[task.name] for task in schema.tasks}
    return {task.name: max(windows_s[task.name], of_label.get(task.when or "", 0.0)) for task in schema.tasks}


def first_unlearned(found: RowsFound) -> datetime:
    """Return from when on rows of a cycle have a label that it did not learn from."""
    return found.until - timedelta(seconds=max(found.windows_s.values()) + found.holdout_s)


@dataclasses.dataclass(frozen=True)
class Cut:
    """The cut of a cycle's rows.

    Attributes:
        schema: of the rows.
        until: end of what was taken in, microseconds.
        windows: by task, microseconds.
        holdout: microseconds.
    """

    schema: Schema
    until: int
    windows: dict[str, int]
    holdout: int

    @classmethod
    def of(cls, schema: Schema, found: RowsFound) -> "Cut":
        """Return the cut that the rows of a cycle were taken with.

        Raises:
            DataError: the schema has a task that it had not then.
        """
        for task in schema.tasks:
            if task.name not in found.windows_s:
                raise DataError(
                    f"task {task.name!r} came into the schema after rows were taken; remove the folder of the cycle, "
                    f"and they are taken anew"
                )
        windows = {task: round(window * SECOND) for task, window in found.windows_s.items()}
        return cls(schema, moment(found.until), windows, round(found.holdout_s * SECOND))

    @property
    def end(self) -> int:
        """Rows from here on have no label that is due."""
        return self.until - min(self.windows.values())

    def due(self, task: Task) -> int:
        """Labels of rows from here on are not due."""
        return self.until - self.windows[task.name]

    def learned(self, task: Task) -> int:
        """Labels of rows from here on are not learned from."""
        return self.due(task) - self.holdout

    def training(self, rows: "pa.Table") -> "pa.Table":
        """Return the rows to learn from; a label of the hold-out, or not due, is null in them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        times = moments_of(self.schema, rows)
        limits: dict[str, int] = {}
        for task in self.schema.tasks:
            limits[task.label] = min(limits.get(task.label, self.until), self.learned(task))
        for label, limit in limits.items():
            place = rows.column_names.index(label)
            known = pc.if_else(pa.array(times < limit), rows[label], pa.scalar(None, rows[label].type))
            rows = rows.set_column(place, label, known)
        return rows.filter(pa.array(times < max(limits.values())))

    def judged(self, rows: "pa.Table") -> NDArray[np.bool_]:
        """Mark which labels of rows judge, bool [B, T]."""
        times = moments_of(self.schema, rows)
        return np.stack(
            [(self.learned(task) <= times) & (times < self.due(task)) for task in self.schema.tasks], axis=1
        )
