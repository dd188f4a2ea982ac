"""Entries to record batches, a row for each item shown."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.impressions import own_fields
from polyrank.serving.items import ITEM, Items
from polyrank.serving.origins import Origin
from polyrank.signature import SCORE

from .arrays import array_of
from .entries import Entry
from .plain import plain_array

if TYPE_CHECKING:
    import pyarrow as pa


class Batches:
    """Makes record batches; keeps the columns of items in the form in which it takes rows of them."""

    def __init__(self) -> None:
        self._columns: weakref.WeakKeyDictionary[Items, dict[str, Any]] = weakref.WeakKeyDictionary()

    def of(self, entries: "Sequence[Entry]") -> "pa.RecordBatch":
        """Return the rows of entries of one layout.

        Raises:
            Exception: a value is such that no column holds it, or answers have other columns than one another.
        """
        import pyarrow as pa

        answers = pa.concat_tables([entry.answer.replace_schema_metadata(None) for entry in entries])
        counts = np.array([entry.answer.num_rows for entry in entries])
        owner = np.repeat(np.arange(len(entries)), counts)
        own = _own(entries, answers, owner)
        columns = _of_users(entries, owner) | self._of_items(entries, answers)
        fields = [*own_fields(), *(pa.field(name, column.type) for name, column in columns.items())]
        return pa.RecordBatch.from_arrays([*own, *columns.values()], schema=pa.schema(fields))

    def _of_items(self, entries: "Sequence[Entry]", answers: "pa.Table") -> dict[str, Any]:
        """Take the rows of items, for each run of entries that share them at once."""
        import pyarrow as pa

        places = answers.column(ITEM).to_numpy()
        ends = np.cumsum([entry.answer.num_rows for entry in entries]).tolist()
        runs: list[tuple[Items, int]] = []
        for entry, end in zip(entries, ends, strict=True):
            if runs and runs[-1][0] is entry.items:
                runs.pop()
            runs.append((entry.items, end))
        starts = [0, *(end for _, end in runs[:-1])]
        taken = [
            (self._known(items, entries[0]), pa.array(places[start:end]))
            for start, (items, end) in zip(starts, runs, strict=True)
        ]
        return {
            name: pa.concat_arrays([columns[name].take(rows) for columns, rows in taken])
            for name in entries[0].layout.items
        }

    def _known(self, items: Items, entry: Entry) -> dict[str, Any]:
        known = self._columns.setdefault(items, {})
        if missing := [name for name in entry.layout.items if name not in known]:
            for name in missing:
                known[name] = _column(items.column(name), entry.layout.types.get(name), name)
        return known


def _column(column: Any, kind: "pa.DataType | None", name: str) -> "pa.Array":
    """Return a column of items; one without a value has the type of its feature."""
    import pyarrow as pa

    if isinstance(column, list):
        return array_of(column, kind, name)
    return array_of(column.to_pylist(), kind, name) if pa.types.is_null(column.type) else plain_array(column)


def _of_users(entries: "Sequence[Entry]", owner: NDArray[np.int64]) -> dict[str, Any]:
    import pyarrow as pa

    layout, repeated = entries[0].layout, pa.array(owner)
    return {
        name: array_of([entry.user.get(name) for entry in entries], layout.types.get(name), name).take(repeated)
        for name in layout.user
    }


def _own(entries: "Sequence[Entry]", answers: "pa.Table", owner: NDArray[np.int64]) -> list[Any]:
    """Return the columns of `own_fields`, in their order."""
    import pyarrow as pa

    origins, repeated = [entry.origin for entry in entries], pa.array(owner)
    times = np.array([entry.shown_at * 1e6 for entry in entries]).astype("datetime64[us]")
    of_entries = (
        pa.array([origin.request_id for origin in origins], pa.string()),
        pa.array(times, pa.timestamp("us", "UTC")),
        pa.array([origin.model for origin in origins], pa.string()),
        pa.array([origin.version for origin in origins], pa.string()),
        pa.array([entry.arm for entry in entries], pa.string()),
    )
    tasks = [name for name in entries[0].layout.tasks if name in answers.column_names]
    scores = np.stack([answers.column(name).to_numpy() for name in tasks], axis=1)
    return [
        *(column.take(repeated) for column in of_entries),
        pa.array(_ranks(entries), pa.int32()),
        plain_array(answers.column(SCORE)),
        _by_task(tasks, scores),
        _by_task(entries[0].layout.tasks, _weights(entries[0].layout.tasks, origins)[owner]),
    ]


def _ranks(entries: "Sequence[Entry]") -> NDArray[np.int32]:
    of_each = (
        np.arange(1, entry.answer.num_rows + 1) if entry.ranks is None else np.asarray(entry.ranks) for entry in entries
    )
    return np.concatenate(list(of_each)).astype(np.int32)


def _weights(tasks: Sequence[str], origins: Sequence[Origin]) -> NDArray[np.float32]:
    """Return the weights of each entry, float32 (R, K)."""
    return np.array([[origin.task_weights.get(task, 0.0) for task in tasks] for origin in origins], np.float32)


def _by_task(tasks: Sequence[str], values: NDArray[np.float32]) -> "pa.MapArray":
    """Return rows of values (N, K) as a map by task each."""
    import pyarrow as pa

    rows, width = values.shape
    names = pa.array(tasks, pa.string()).take(pa.array(np.tile(np.arange(width), rows)))
    offsets = pa.array(np.arange(rows + 1) * width, pa.int32())
    return pa.MapArray.from_arrays(offsets, names, pa.array(values.ravel(), pa.float32()))
