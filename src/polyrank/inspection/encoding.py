"""One feature of a schema, encoded alone, as training encodes it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import dense_group
from polyrank.errors import RowError
from polyrank.features import DenseFeature, Feature, HashedFeature, VectorFeature
from polyrank.fingerprint import MISSING
from polyrank.hashed_groups import hashed_group
from polyrank.preparation import is_prepared, prepared
from polyrank.table import Arrays, TableEncoder

BLOCK_SLOTS = 2**22
"""Slots that are encoded at a time: a feature of 10,000 slots would fill 10 GB for a piece of a file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Values:
    """The values of a feature that is hashed, without those that are missing.

    Attributes:
        num_rows: how many rows they come from.
        rows: int64 [n], the row of each, ascending.
        fingerprints: int64 [n]; the ids of an identity feature.
        weights: float32 [n] of a weighted bag, else None.
    """

    num_rows: int
    rows: NDArray[np.int64]
    fingerprints: NDArray[np.int64]
    weights: NDArray[np.float32] | None

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many values each row has, int64 [num_rows]."""
        return np.bincount(self.rows, minlength=self.num_rows)


class FeatureEncoder:
    """Encodes the columns of one feature.

    Attributes:
        columns: the columns that it reads.
    """

    def __init__(self, feature: HashedFeature | DenseFeature, features: Sequence[Feature]) -> None:
        """Prepare a feature of a resolved schema; `features` are all of the schema."""
        if isinstance(feature, HashedFeature):
            group, slots = hashed_group(feature, features, strict=True), feature.num_slots
            self.columns = feature.columns
        else:
            group, slots = dense_group(feature), feature.dim if isinstance(feature, VectorFeature) else 1
            self.columns = (feature.name,)
        self._feature = feature
        self._table = TableEncoder([group], threads=1)
        self._block = max(1, BLOCK_SLOTS // slots)

    def values(self, columns: Mapping[str, Any]) -> Values:
        """Encode a feature that is hashed.

        Raises:
            DataError: a value does not fit the feature; a `RowError` says in which row.
        """
        rows, fingerprints, weights, start = [], [], [], 0
        for ids, weight, _ in self._blocks(columns):
            present = ids != MISSING
            rows.append(np.nonzero(present)[0] + start)
            fingerprints.append(ids[present])
            if weight is not None:
                weights.append(weight[present])
            start += len(ids)
        weighed = np.concatenate(weights) if weights else None
        return Values(start, np.concatenate(rows), np.concatenate(fingerprints), weighed)

    def numbers(self, columns: Mapping[str, Any]) -> Iterator[NDArray[np.float32]]:
        """Yield the columns of `dense` that a feature of numbers becomes, float32 [b, D], a block of rows at a time.

        Raises:
            DataError: as for `values`.
        """
        for _, _, dense in self._blocks(columns):
            yield dense

    def _blocks(self, columns: Mapping[str, Any]) -> Iterator[Arrays]:
        columns = {name: columns[name] for name in self.columns}
        for start in range(0, len(columns[self.columns[0]]), self._block):
            part = {name: column.slice(start, self._block) for name, column in columns.items()}
            try:
                yield self._encoded(part)
            except RowError as err:
                raise err.after(start) from err

    def _encoded(self, columns: Mapping[str, Any]) -> Arrays:
        feature = self._feature
        if isinstance(feature, HashedFeature) and is_prepared(feature):
            columns = {**columns, **prepared(feature, columns)}
        return self._table.encode_columns(columns)
