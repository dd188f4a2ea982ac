"""Values that name users, items and requests, as fingerprints: a value is one key however it arrives."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.features import CategoricalFeature, Dtype
from polyrank.fingerprint import MISSING, fingerprint, fingerprint_cross
from polyrank.rows import Column
from polyrank.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

Keys = NDArray[np.int64]


class KeyColumn:
    """A column that names things.

    Attributes:
        name: of the column.
        dtype: that of the feature of that name, or else text.
        missing: tokens that stand for no value.
    """

    def __init__(self, name: str, schema: Schema) -> None:
        self.name = name
        self.dtype: Dtype = "text"
        self.missing: tuple[str, ...] = ()
        for feature in schema.features:
            if isinstance(feature, CategoricalFeature) and feature.name == name:
                self.dtype, self.missing = feature.dtype or "text", feature.missing

    def read(self, column: Column) -> Keys:
        """Return fingerprints, int64 [B]; -1 where missing.

        Raises:
            DataError: a value is none of the dtype.
        """
        return fingerprint(column, dtype=self.dtype, missing=self.missing, column=self.name)


def keys_in(table: "pa.Table", column: KeyColumn | None) -> Keys:
    """Return the keys of rows, int64 [B]; -1 of all where the table lacks the column, or there is none.

    Raises:
        DataError: a value is none of the dtype.
    """
    if column is None or column.name not in table.column_names:
        return np.full(table.num_rows, MISSING, np.int64)
    return column.read(table[column.name])


def pair(first: Keys, second: Keys) -> Keys:
    """Return one key for each pair of keys, int64 [B]; -1 where one of both is missing."""
    columns = [np.ma.masked_equal(keys, MISSING) for keys in (first, second)]
    return fingerprint_cross(columns, dtypes=["int64", "int64"])
