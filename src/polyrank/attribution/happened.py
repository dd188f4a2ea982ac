"""What a join needs to know of outcomes: when, of whom, of what, in which request, and how much."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.canonical.arrow import unpacked
from polyrank.errors import RowError
from polyrank.fingerprint import MISSING, fingerprint, fingerprint_cross
from polyrank.impressions import REQUEST_ID
from polyrank.schema import Schema
from polyrank.table import numbers
from polyrank.tasks import BinaryTask, CountTask, Task, kind_of

from .instants import InstantColumn, Instants
from .keys import KeyColumn, Keys, keys_in, pair
from .matching import first_of_each

if TYPE_CHECKING:
    import pyarrow as pa

TASK, VALUE, EVENT = "task", "value", "event_id"

_NOTHING = tuple(np.empty(0, kind) for kind in (np.int64, np.int64, np.float32, *[np.int64] * 4))
"""What is read of no row."""


@dataclasses.dataclass(frozen=True)
class Happened:
    """Outcomes of the schema's tasks, [M] each: oldest first, of equal times the smallest value.

    Attributes:
        times: when they happened.
        tasks: position of the task in the schema.
        values: float32.
        by_request: keys of request and item; -1 without a request id.
        by_user: keys of user and item; -1 with a request id, or without a user.
        is_first: whether it was not there before.
    """

    times: Instants
    tasks: NDArray[np.int64]
    values: NDArray[np.float32]
    by_request: Keys
    by_user: Keys
    is_first: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return M."""
        return len(self.times)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Happened":
        """Pick rows."""
        return Happened(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


class HappenedReader:
    """Reads outcomes, a piece at a time.

    Attributes:
        other_tasks: how many there were of tasks that the schema has not, by name.
    """

    def __init__(self, schema: Schema, item: str, user: str | None, time: str) -> None:
        self.other_tasks: Counter[str] = Counter()
        self._schema, self._time = schema, time
        self._times = InstantColumn(time, schema)
        self._item, self._request = KeyColumn(item, schema), KeyColumn(REQUEST_ID, schema)
        self._user = None if user is None else KeyColumn(user, schema)
        self._event = KeyColumn(EVENT, schema)
        self._pieces: list[tuple[NDArray[Any], ...]] = []

    def add(self, table: "pa.Table") -> None:
        """Read the next rows.

        Raises:
            DataError: a value is none of its column or task; a `RowError` says in which row.
        """
        tasks, times = self._tasks(table), self._times.read(table[self._time])
        items = self._item.read(table[self._item.name])
        requests, users = keys_in(table, self._request), keys_in(table, self._user)
        values = self._values(table, tasks)
        known = {self._time, self._item.name, REQUEST_ID, TASK, VALUE, EVENT, self._user.name if self._user else ""}
        rest = _rest(table, sorted(set(table.column_names) - known))
        whole = _mixed((times, tasks, values.view(np.int32), requests, items, users, rest))
        events = keys_in(table, self._event)
        identity = np.where(events < 0, whole, _mixed((events, tasks, items)))
        by_user = np.where(requests < 0, pair(users, items), MISSING)
        self._pieces.append((times, tasks, values, pair(requests, items), by_user, identity, whole))

    def finish(self) -> Happened:
        """Return outcomes in their order."""
        times, tasks, values, by_request, by_user, identity, whole = (
            np.concatenate(arrays) for arrays in zip(_NOTHING, *self._pieces, strict=True)
        )
        order = np.lexsort((whole, tasks, values, times))
        happened = Happened(times, tasks, values, by_request, by_user, np.ones(len(times), bool))[order]
        return dataclasses.replace(happened, is_first=first_of_each(identity[order]))[happened.tasks >= 0]

    def _tasks(self, table: "pa.Table") -> NDArray[np.int64]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if TASK not in table.column_names:  # where the schema has one task, all are of it
            return np.zeros(table.num_rows, np.int64)
        names = [task.name for task in self._schema.tasks]
        given = table[TASK].cast(pa.string())
        places = pc.index_in(given, pa.array(names)).fill_null(-1)
        found: NDArray[np.int64] = places.to_numpy().astype(np.int64)
        for counted in given.filter(pa.array(found < 0)).value_counts().to_pylist():
            self.other_tasks[counted["values"] or ""] += counted["counts"]
        return found

    def _values(self, table: "pa.Table", tasks: NDArray[np.int64]) -> NDArray[np.float32]:
        if VALUE not in table.column_names:
            return np.ones(table.num_rows, np.float32)
        values = numbers(table[VALUE], VALUE)
        for place, task in enumerate(self._schema.tasks):
            of_task = tasks == place
            if isinstance(task, BinaryTask | CountTask):
                values[of_task & np.isnan(values)] = 1
            wrong = of_task & (task.refused(values) | np.isnan(values))
            if wrong.any():
                raise _wrong_value(task, values, int(wrong.argmax()))
        return values


def _wrong_value(task: Task, values: NDArray[np.float32], row: int) -> RowError:
    held = f"column {VALUE!r} {'is missing' if np.isnan(values[row]) else f'holds {values[row]:g}'}"
    return RowError(held, row, f"; {task.expected_labels} expected for a {kind_of(task)} task (task {task.name!r})")


def _rest(table: "pa.Table", names: Sequence[str]) -> Keys:
    """Return the other columns of each row as one key, int64 [B], which no order of columns changes."""
    total = np.zeros(table.num_rows, np.int64)
    for name in names:
        seed = int(fingerprint([name], dtype="text")[0])
        keys = fingerprint(_as_texts(table[name]), dtype="text", seed=seed, column=name)
        total += np.where(keys < 0, 0, keys)
    return total


def _as_texts(column: Any) -> Any:
    import pyarrow as pa

    column = unpacked(column)
    kind = column.type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind)
    if plain or pa.types.is_large_string(kind):
        return column
    return [None if value is None else repr(value) for value in column.to_pylist()]


def _mixed(parts: Sequence[NDArray[Any]]) -> Keys:
    """Return one key for each row of integers, int64 [B]."""
    columns = [np.asarray(part, np.int64) for part in parts]
    return fingerprint_cross(columns, dtypes=["int64"] * len(columns))
