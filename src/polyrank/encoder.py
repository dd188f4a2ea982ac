"""Schema and rows in, rectangular arrays out: the arrays a model is trained on and a server is sent."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.features import BagFeature, CategoricalFeature, HashedFeature, NumericFeature
from polyrank.fingerprint import MISSING, fingerprint
from polyrank.rows import Column, Rows, columns_of, is_missing, num_rows
from polyrank.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Encoded rows.

    Attributes:
        ids: int64 [B, S], fingerprints by slot; -1 is missing or padding.
        dense: float32 [B, D], raw numeric features; NaN is missing.
    """

    ids: NDArray[np.int64]
    dense: NDArray[np.float32]

    def __len__(self) -> int:
        """Return B, the number of rows."""
        return len(self.ids)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "Batch":
        """Pick rows; a slice shares memory with this batch."""
        return Batch(self.ids[rows], self.dense[rows])

    def named(self) -> dict[str, NDArray[Any]]:
        """Return the tensors of the wire contract by name, without those that have no column."""
        tensors: dict[str, NDArray[Any]] = {"ids": self.ids, "dense": self.dense}
        return {name: tensor for name, tensor in tensors.items() if tensor.shape[1] > 0}


@dataclasses.dataclass(frozen=True, slots=True)
class Slots:
    """Where one hashed feature lies in `ids`: columns `start` up to `stop`."""

    feature: HashedFeature
    start: int
    stop: int


def slot_layout(schema: Schema) -> tuple[Slots, ...]:
    """Lay the hashed features out in schema order: one slot for a categorical, `max_length` for a bag."""
    layout, start = [], 0
    for feature in schema.hashed_features:
        width = feature.max_length if isinstance(feature, BagFeature) else 1
        layout.append(Slots(feature, start, start + width))
        start += width
    return tuple(layout)


class Encoder:
    """Turns rows into a `Batch`. Holds no state beyond the schema; safe to share between threads.

    >>> from polyrank.features import CategoricalFeature
    >>> from polyrank.schema import Schema
    >>> from polyrank.tasks import BinaryTask
    >>> schema = Schema(
    ...     name="toy",
    ...     features=(CategoricalFeature(name="user_id", dtype="int64", num_buckets=10),),
    ...     tasks=(BinaryTask(name="click", label="is_click"),),
    ... ).resolved()
    >>> Encoder(schema).encode([{"user_id": 46}, {"user_id": "46"}, {"user_id": None}]).ids.tolist()
    [[1516787460400590945], [1516787460400590945], [-1]]
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema.resolved()
        self.layout = slot_layout(self.schema)
        self.num_slots = self.layout[-1].stop if self.layout else 0

    def encode(self, rows: Rows) -> Batch:
        """Encode rows; columns the schema does not name are ignored.

        Raises:
            DataError: no rows, a feature's column is missing, or a value does not fit the feature; the message names
                column, value and row.
        """
        return self.encode_columns(columns_of(rows, self.schema.feature_columns))

    def encode_columns(self, columns: Mapping[str, Column]) -> Batch:
        """Encode columns that `columns_of` has picked, the features' among them; see `encode`."""
        count = num_rows(columns)
        ids = np.empty((count, self.num_slots), np.int64)
        for slots in self.layout:
            column = columns[slots.feature.name]
            if isinstance(slots.feature, CategoricalFeature):
                ids[:, slots.start] = _fingerprints(slots.feature, column)
            else:
                ids[:, slots.start : slots.stop] = _bag(slots.feature, column)
        numeric = self.schema.numeric_features
        dense = np.empty((count, len(numeric)), np.float32)
        for index, feature in enumerate(numeric):
            dense[:, index] = numbers(columns[feature.name], feature.name)
            _check_numeric(feature, dense[:, index])
        return Batch(ids, dense)


def numbers(column: Column, name: str) -> NDArray[np.float32]:
    """Read a column as float32 [B], NaN where missing.

    Raises:
        DataError: the column holds something that is not a number, or no finite float32.
    """
    import pyarrow as pa

    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else _plain_numbers(column, name)
    if not _is_number(array.type):
        raise DataError(f"column {name!r} holds {array.type}; numbers expected")
    # Decimals and booleans have no direct way to float32; double is exact for what float32 keeps.
    wide = np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    infinite = np.isinf(narrow)
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(f"column {name!r} holds {wide[row]} at row {row + 1:,}; finite 32-bit numbers expected")
    return narrow


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def _plain_numbers(values: Sequence[object], name: str) -> "pa.Array":
    """Numbers out of a list that Arrow has no one type for, such as [True, 2] or [2**64, 1]."""
    import pyarrow as pa

    for row, value in enumerate(values):
        if not is_missing(value) and not isinstance(value, int | float | np.number | np.bool_):
            raise DataError(f"column {name!r} holds {value!r} at row {row + 1:,}; numbers expected")
    return pa.array([None if is_missing(value) else _as_float(value) for value in values], pa.float64())


def _as_float(value: Any) -> float:
    """Return the float; infinity for an integer beyond all floats, which the check for finite numbers then names."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _check_numeric(feature: NumericFeature, values: NDArray[np.float32]) -> None:
    if "log1p" not in feature.transform:
        return
    negative = values < 0
    if negative.any():
        row = int(negative.argmax())
        raise DataError(
            f"column {feature.name!r} holds {values[row]} at row {row + 1:,}; "
            f"its transform log1p takes numbers of 0 and above"
        )


def _fingerprints(feature: HashedFeature, values: Column) -> NDArray[np.int64]:
    assert feature.dtype is not None  # noqa: S101 (a resolved schema always has one; this tells the type checker)
    return fingerprint(values, dtype=feature.dtype, missing=feature.missing, column=feature.name)


def _bag(feature: BagFeature, column: Column) -> NDArray[np.int64]:
    """Fingerprints of a list column, int64 [B, max_length]: the head of each list, padded with -1."""
    lengths, values = _flatten(feature.name, column)
    padded = np.full((len(lengths), feature.max_length), MISSING, np.int64)
    kept = np.minimum(lengths, feature.max_length)
    starts = np.cumsum(lengths) - lengths
    position = np.arange(feature.max_length)
    filled = position < kept[:, None]
    if filled.any():
        padded[filled] = _list_fingerprints(feature, values, starts, lengths)[(starts[:, None] + position)[filled]]
    return padded


def _list_fingerprints(
    feature: BagFeature, values: Column, starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Fingerprint the values of all lists, end to end."""
    try:
        return _fingerprints(feature, values)
    except DataError:
        # This error counts values. The first values of all lists are one column with a value for each row, the second
        # values another: their error names the row.
        for position in range(int(lengths.max())):
            _fingerprints(feature, _take(values, starts + position, position < lengths))
        raise


def _take(values: Column, indices: NDArray[np.int64], present: NDArray[np.bool_]) -> Column:
    """Pick a value for each row, a missing one where none is present."""
    import pyarrow as pa

    if not isinstance(values, pa.Array):
        return [values[index] if there else None for index, there in zip(indices, present, strict=True)]
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):  # Arrow gathers from no view
        values = values.cast(pa.large_string() if pa.types.is_string_view(values.type) else pa.large_binary())
    return values.take(pa.array(indices, mask=~present))


def _flatten(name: str, column: Column) -> tuple[NDArray[np.int64], Column]:
    """Return how many values each row has (none for null), and all values end to end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not isinstance(column, pa.Array):
        return _flatten_plain(name, column)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64), pa.nulls(0)
    if not _is_list(column.type):
        raise DataError(f"column {name!r} holds {column.type}; a bag takes lists")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths, column.flatten()


def _is_list(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    tests = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    return any(test(kind) for test in tests)


def _flatten_plain(name: str, column: Sequence[object]) -> tuple[NDArray[np.int64], list[object]]:
    lengths = np.zeros(len(column), np.int64)
    values: list[object] = []
    for row, items in enumerate(column):
        if is_missing(items):
            continue
        if not isinstance(items, list | tuple | np.ndarray):
            raise DataError(f"column {name!r} holds {items!r} at row {row + 1:,}; a bag takes lists")
        lengths[row] = len(items)
        values.extend(items)
    return lengths, values
