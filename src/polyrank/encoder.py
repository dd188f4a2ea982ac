"""Schema and rows in, rectangular arrays out: the arrays a model is trained on and a server is sent."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import instance, named
from polyrank.errors import ConfigError
from polyrank.features import BucketizedFeature, DenseFeature, Feature, HashedFeature, NeighborsFeature, VectorFeature
from polyrank.hashed_groups import hashed_group
from polyrank.preparation import is_prepared, prepared, prepared_rows
from polyrank.rows import Column, Rows, columns_of
from polyrank.schema import Schema, columns_for
from polyrank.table import Arrays, Group, NumberGroup, TableEncoder, VectorGroup, numbers

__all__ = ["Batch", "DenseColumns", "Encoder", "Slots", "dense_layout", "numbers", "slot_layout"]


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Encoded rows.

    Attributes:
        ids: int64 [B, S], fingerprints by slot; -1 is missing or padding.
        dense: float32 [B, D], raw numbers; NaN is missing.
        weights: float32 [B, W] of the values of weighted bags, 0 where padded; None where no bag is weighted.
    """

    ids: NDArray[np.int64]
    dense: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Return B, the number of rows."""
        return len(self.ids)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "Batch":
        """Pick rows; a slice shares memory with this batch."""
        return Batch(self.ids[rows], self.dense[rows], None if self.weights is None else self.weights[rows])

    def named(self) -> dict[str, NDArray[Any]]:
        """Return the tensors of the wire contract by name, without those that have no column."""
        tensors: dict[str, NDArray[Any] | None] = {"ids": self.ids, "weights": self.weights, "dense": self.dense}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None and tensor.shape[1] > 0}


@dataclasses.dataclass(frozen=True, slots=True)
class Slots:
    """Where one hashed feature lies in `ids`: columns `start` up to `stop`.

    `first_weight` is the first of as many columns of `weights`, None for a feature without weights.
    """

    feature: HashedFeature
    start: int
    stop: int
    first_weight: int | None = None


def slot_layout(schema: Schema, features: Collection[str] | None = None) -> tuple[Slots, ...]:
    """Lay the hashed features out in schema order: one slot for a value or a cross, `max_length` for a bag.

    `features` names those that are laid out; None all.
    """
    layout, start, weight = [], 0, 0
    for feature in schema.hashed_features:
        if features is not None and feature.name not in features:
            continue
        first_weight = weight if feature.num_weights > 0 else None
        layout.append(Slots(feature, start, start + feature.num_slots, first_weight))
        start += feature.num_slots
        weight += feature.num_weights
    return tuple(layout)


@dataclasses.dataclass(frozen=True, slots=True)
class DenseColumns:
    """Where the numbers of one feature lie in `dense`: columns `start` up to `stop`."""

    feature: DenseFeature
    start: int
    stop: int

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called: those of a vector `name[0]`, `name[1]` and so on."""
        name = self.feature.name
        if not isinstance(self.feature, VectorFeature):
            return (name,)
        return tuple(f"{name}[{index}]" for index in range(self.feature.dim))


def dense_layout(schema: Schema, features: Collection[str] | None = None) -> tuple[DenseColumns, ...]:
    """Lay features that are numbers out in schema order: `dim` columns for a vector, one for any other.

    `features` names those that are laid out; None all.
    """
    layout, start = [], 0
    for feature in schema.dense_features:
        if features is not None and feature.name not in features:
            continue
        width = feature.dim if isinstance(feature, VectorFeature) else 1
        layout.append(DenseColumns(feature, start, start + width))
        start += width
    return tuple(layout)


class Encoder:
    """Turns rows into a `Batch`. Holds no state beyond the schema; safe to share between threads.

    >>> from polyrank.features import CategoricalFeature
    >>> from polyrank.schema import Schema, columns_for
    >>> from polyrank.tasks import BinaryTask
    >>> schema = Schema(
    ...     name="toy",
    ...     features=(CategoricalFeature(name="user_id", dtype="int64", num_buckets=10),),
    ...     tasks=(BinaryTask(name="click", label="is_click"),),
    ... ).resolved()
    >>> Encoder(schema).encode([{"user_id": 46}, {"user_id": "46"}, {"user_id": None}]).ids.tolist()
    [[1516787460400590945], [1516787460400590945], [-1]]
    """

    def __init__(
        self,
        schema: Schema,
        *,
        features: Collection[str] | None = None,
        threads: int | None = None,
        strict: bool = False,
    ) -> None:
        """Prepare for `schema`; a large table is split between up to `threads` (default: the processors at hand).

        `features` names those that are encoded, in the order of the schema, such as one half of a request; None all.
        `strict` refuses an id that is out of range of a feature with `identity`, as training does; a served model
        takes it as missing.

        Raises:
            ConfigError: `schema` is no Schema, or `threads` is not in [1, 1024].
        """
        instance("schema", schema, Schema, "a Schema")
        self.schema = schema.resolved()
        own = [each for each in self.schema.features if features is None or each.name in features]
        self.columns = columns_for(own)
        self.layout = slot_layout(self.schema, features)
        self.num_slots = self.layout[-1].stop if self.layout else 0
        self.num_weights = sum(slots.feature.num_weights for slots in self.layout)
        self.dense_layout = dense_layout(self.schema, features)
        self.num_dense = self.dense_layout[-1].stop if self.dense_layout else 0
        self._prepared = tuple(each for each in own if isinstance(each, HashedFeature) and is_prepared(each))
        self._table = TableEncoder(_groups_of(own, self.schema, strict=strict), threads)

    def encode(self, rows: Rows, *, out: Batch | None = None) -> Batch:
        """Encode rows; columns the schema does not name are ignored.

        Args:
            rows: a table, a frame or dicts.
            out: a batch to write into and return, its arrays contiguous. They may share memory with the rows, but not
                with one another. After an error its content is unspecified.

        Raises:
            DataError: no rows, a feature's column is missing, or a value does not fit the feature; the message names
                column, value and row.
            ConfigError: `out` is no Batch.
            TypeError: an array of `out` has another dtype.
            ValueError: an array of `out` has another shape, is not contiguous or not writable, or both share memory.
        """
        if self._prepared:
            ready = prepared_rows(self._prepared, rows) if isinstance(rows, list | tuple) else None
            if ready is None:
                return self.encode_columns(columns_of(rows, self.columns), out=out)
            rows = ready
        ids, weights, dense = self._table.encode(rows, _arrays(out))
        return Batch(ids, dense, weights)

    def encode_columns(self, columns: Mapping[str, Column], *, out: Batch | None = None) -> Batch:
        """Encode columns that `columns_of` has picked, the features' among them; see `encode`."""
        for feature in self._prepared:
            columns = {**columns, **prepared(feature, columns)}
        ids, weights, dense = self._table.encode_columns(columns, _arrays(out))
        return Batch(ids, dense, weights)


def _arrays(batch: Batch | None) -> Arrays | None:
    if batch is None:
        return None
    try:
        return batch.ids, batch.weights, batch.dense
    except AttributeError as err:
        raise ConfigError(f"out must be a Batch, got {named(batch)}") from err


def _groups_of(features: Sequence[Feature], schema: Schema, *, strict: bool) -> list[Group]:
    return [
        hashed_group(feature, schema.features, strict=strict)
        if isinstance(feature, HashedFeature)
        else dense_group(feature)
        for feature in features
        if not isinstance(feature, NeighborsFeature)
    ]


def dense_group(feature: DenseFeature) -> Group:
    """Return the group that a feature of numbers becomes."""
    if isinstance(feature, VectorFeature):
        return VectorGroup(name=feature.name, dim=feature.dim)
    if isinstance(feature, BucketizedFeature):
        return NumberGroup(name=feature.name)
    return NumberGroup(name=feature.name, log1p=feature.transform[:1] == ("log1p",))  # clip lifts those below 0
