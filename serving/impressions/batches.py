"""Entries to record batches, a row for each list shown."""

import itertools
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.impressions import (
    ARM,
    MODEL,
    RANK,
    RANK_SCORE,
    REQUEST_ID,
    SCORES,
    SHOWN_AT,
    TASK_WEIGHTS,
    VERSION,
    nested,
)
from polyrank.serving.items import ITEM, Items
from polyrank.signature import SCORE

from .arrays import array_of
from .plain import plain_array

if TYPE_CHECKING:
    import pyarrow as pa

    from .entries import Entry
    from .layout import Layout


class Batches:
    """Makes record batches; keeps the columns of items in the form in which it takes rows of them."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Items, dict[object, pa.RecordBatch]] = weakref.WeakKeyDictionary()

    def of(self, entries: "Sequence[Entry]") -> "pa.RecordBatch":
        """Return a row for each of entries of one layout.

        Raises:
            Exception: a value is such that no column holds it, or answers have other columns than one another.
        """
        import pyarrow as pa

        answers = pa.concat_tables([entry.answer.replace_schema_metadata(None) for entry in entries])
        counts = np.array([entry.answer.num_rows for entry in entries])
        features = self._of_items(entries, answers)
        columns = _of_rows(entries, answers) | dict(zip(features.schema.names, features.columns, strict=True))
        items = pa.RecordBatch.from_pydict(columns)
        return nested(_lists(entries), items, counts)

    def _of_items(self, entries: "Sequence[Entry]", answers: "pa.Table") -> "pa.RecordBatch":
        """Take the rows of items, for each run of entries that share them at once."""
        import pyarrow as pa

        places = answers.column(ITEM).to_numpy()
        taken, start = [], 0
        for items, run in itertools.groupby(entries, key=lambda entry: entry.items):
            end = start + sum(entry.answer.num_rows for entry in run)
            _check_keys(items, answers.slice(start, end - start), places[start:end])
            taken.append(self._columns(items, entries[0].layout).take(pa.array(places[start:end])))
            start = end
        return taken[0] if len(taken) == 1 else pa.concat_batches(taken)

    def _columns(self, items: Items, layout: "Layout") -> "pa.RecordBatch":
        import pyarrow as pa

        kept, place = self._known.setdefault(items, {}), layout.item_types
        if place not in kept:
            columns = [_column(items.column(name), kind, name) for name, kind in place]
            kept[place] = pa.RecordBatch.from_arrays(columns, layout.items)
        return kept[place]


def _check_keys(items: Items, answer: "pa.Table", places: NDArray[np.int64]) -> None:
    """Refuse items that are not those of the answer, as of a catalogue that was loaded anew since.

    Raises:
        DataError: an item has another key.
    """
    import pyarrow as pa

    if items.key not in answer.column_names:
        return
    shown, known = answer.column(items.key), items.keys(places)
    if shown.equals(pa.chunked_array([known])):
        return
    for place, key, other in zip(places.tolist(), shown.to_pylist(), known.to_pylist(), strict=True):
        if repr(key) != repr(other):  # NaN is like itself
            raise DataError(
                f"items are not those of the answer: item {place} is {other!r}, and was {key!r}; give those that were "
                "ranked"
            )


def _column(column: Any, kind: "pa.DataType | None", name: str) -> "pa.Array":
    """Return a column of items; one without a value has the type of its feature."""
    import pyarrow as pa

    if isinstance(column, list):
        return array_of(column, kind, name)
    return array_of(column.to_pylist(), kind, name) if pa.types.is_null(column.type) else plain_array(column)


def _lists(entries: "Sequence[Entry]") -> "pa.RecordBatch":
    """Return a row for each entry: what all its items have in common."""
    import pyarrow as pa

    layout, origins = entries[0].layout, [entry.origin for entry in entries]
    times = np.array([entry.shown_at * 1e6 for entry in entries]).astype("datetime64[us]")
    weights = [[origin.task_weights.get(task, 0.0) for task in layout.tasks] for origin in origins]
    columns = {
        REQUEST_ID: pa.array([origin.request_id for origin in origins], pa.string()),
        SHOWN_AT: pa.array(times, pa.timestamp("us", "UTC")),
        MODEL: pa.array([origin.model for origin in origins], pa.string()),
        VERSION: pa.array([origin.version for origin in origins], pa.string()),
        ARM: pa.array([entry.arm for entry in entries], pa.string()),
        TASK_WEIGHTS: _by_task(layout.tasks, np.array(weights, np.float32)),
    }
    features = {
        name: array_of([entry.user.get(name) for entry in entries], layout.types.get(name), name)
        for name in layout.user
    }
    return pa.RecordBatch.from_pydict(columns | features)


def _of_rows(entries: "Sequence[Entry]", answers: "pa.Table") -> dict[str, Any]:
    """Return what each item has of its own, beside its features."""
    import pyarrow as pa

    tasks = [name for name in entries[0].layout.tasks if name in answers.column_names]
    scores = np.empty((answers.num_rows, len(tasks)), np.float32)
    for place, name in enumerate(tasks):
        scores[:, place] = answers.column(name).to_numpy()
    return {
        RANK: pa.array(_ranks(entries), pa.int32()),
        RANK_SCORE: plain_array(answers.column(SCORE)),
        SCORES: _by_task(tasks, scores),
    }


def _ranks(entries: "Sequence[Entry]") -> NDArray[np.int32]:
    of_each = (
        np.arange(1, entry.answer.num_rows + 1) if entry.ranks is None else np.asarray(entry.ranks) for entry in entries
    )
    return np.concatenate(list(of_each)).astype(np.int32)


def _by_task(tasks: Sequence[str], values: NDArray[np.float32]) -> "pa.MapArray":
    """Return rows of values (N, K) as a map by task each."""
    import pyarrow as pa

    rows, width = values.shape
    names = pa.array(tasks, pa.string()).take(pa.array(np.tile(np.arange(width), rows)))
    offsets = pa.array(np.arange(rows + 1) * width, pa.int32())
    return pa.MapArray.from_arrays(offsets, names, pa.array(values.ravel(), pa.float32()))
