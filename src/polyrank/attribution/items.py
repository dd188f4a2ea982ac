"""A table of items, for impressions that were written without what is known of them."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.files import Location, check_columns, read_table
from polyrank.schema import Schema

from .keys import KeyColumn, Keys
from .reading import JoinKeys

if TYPE_CHECKING:
    import pyarrow as pa


class ItemTable:
    """Columns of features that impressions lack, by item.

    Attributes:
        columns: their names.
    """

    def __init__(self, schema: Schema, file: Location, keys: JoinKeys, present: Collection[str]) -> None:
        self._key = KeyColumn(keys.item, schema)
        table = read_table(file, keys.wanted)
        check_columns(file, table.column_names, [keys.item])
        found = self._key.read(table[keys.item])
        self._order = np.argsort(found, kind="stable")
        self._sorted = found[self._order]
        self._check_unique(file, table)
        lacking = set(table.column_names) - set(present)
        self.columns = tuple(name for name in schema.feature_columns if name in lacking)
        self._table = table

    def places(self, items: Keys) -> NDArray[np.int64]:
        """Return the rows of items, int64 [B]; -1 of those that are not there."""
        if not len(self._sorted):
            return np.full(len(items), -1, np.int64)
        near = np.minimum(np.searchsorted(self._sorted, items), len(self._sorted) - 1)
        return np.where((self._sorted[near] == items) & (items >= 0), self._order[near], -1)

    def of(self, items: Any) -> "dict[str, pa.ChunkedArray]":
        """Return the columns of a column of items, null where the item is not there."""
        import pyarrow as pa

        places = self.places(self._key.read(items))
        taken = pa.array(places, mask=places < 0)
        return {name: self._table[name].take(taken) for name in self.columns}

    def _check_unique(self, file: Location, table: "pa.Table") -> None:
        again = np.flatnonzero((self._sorted[1:] == self._sorted[:-1]) & (self._sorted[1:] >= 0))
        if len(again):
            row = int(self._order[again[0] + 1])
            item = table[self._key.name][row].as_py()
            raise DataError(f"{file}: item {item!r} is there again at row {row + 1:,}; one row for each item expected")
