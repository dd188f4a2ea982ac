"""How full embedding tables are, and how many values share a row."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyrank.encoder import Batch, Slots, slot_layout
from polyrank.features import HashedFeature, SharingFeature
from polyrank.inspection.collisions import expected_collisions, measured_collisions
from polyrank.inspection.distinct import Distinct
from polyrank.schema import Schema

from .findings import TableLoad


class TableLoads:
    """Distinct values of each embedding table, over encoded rows that pass by in pieces.

    A table has the values of all features that share it. A missing value is none, and neither is an id beyond the table
    of a feature with `identity`, which the model takes as missing. Buckets of numbers and neighbours have no ids.

    Memory: 8 bytes for each distinct value of each table, twice that while pieces are merged; above 50 million distinct
    values give a sample of the rows.
    """

    def __init__(self, schema: Schema) -> None:
        """Prepare for batches of a resolved schema."""
        owners: dict[str, list[Slots]] = {}
        for place in slot_layout(schema):
            owners.setdefault(place.feature.table, []).append(place)
        self._tables = [_Table(name, places) for name, places in owners.items()]

    def add(self, batch: Batch) -> None:
        """Add the next rows."""
        for table in self._tables:
            table.add(batch.ids)

    def result(self) -> tuple[TableLoad, ...]:
        """Describe each table, in the order of the schema's features."""
        return tuple(table.load() for table in self._tables)


class _Table:
    """The values of one table."""

    def __init__(self, name: str, places: list[Slots]) -> None:
        self._name, self._places = name, places
        self._num_buckets = _buckets(places[0].feature)
        self._has_identity = isinstance(places[0].feature, SharingFeature) and places[0].feature.identity
        self._distinct = Distinct()

    def add(self, ids: NDArray[np.int64]) -> None:
        columns = np.concatenate([ids[:, place.start : place.stop].ravel() for place in self._places])
        found = pc.unique(pa.array(columns)).to_numpy()  # by hashing, so that few are sorted
        last = self._num_buckets - 1 if self._has_identity else np.iinfo(np.int64).max
        self._distinct.add(found[(found >= 0) & (found <= last)])

    def load(self) -> TableLoad:
        values, size = self._distinct.values, self._num_buckets
        return TableLoad(
            table=self._name,
            features=tuple(place.feature.name for place in self._places),
            distinct=len(values),
            num_buckets=size,
            collisions=measured_collisions(values, size),
            expected_collisions=0.0 if self._has_identity else expected_collisions(len(values), size),
        )


def _buckets(feature: HashedFeature) -> int:
    assert feature.num_buckets is not None  # noqa: S101 (a resolved schema has them; this tells the type checker)
    return feature.num_buckets
