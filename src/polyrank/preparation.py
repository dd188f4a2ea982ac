"""Columns that are turned into lists before a table is encoded."""

from collections.abc import Mapping

import numpy as np

from polyrank.canonical.arrow import is_list
from polyrank.features import BagFeature, HashedFeature, SequenceFeature
from polyrank.rows import Column
from polyrank.separated import split_lists, split_weighted


def is_prepared(feature: HashedFeature) -> bool:
    """Say whether a feature's column does not go into the table as it is."""
    if isinstance(feature, SequenceFeature):
        return feature.order == "oldest_first"
    return isinstance(feature, BagFeature) and feature.separator is not None


def prepared(feature: HashedFeature, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns that take the place of a feature's.

    Raises:
        DataError: a text is no list of values, or of values with weights.
    """
    name, column = feature.name, columns[feature.name]
    if isinstance(feature, SequenceFeature):
        return {name: tails(column, feature.max_length)}
    if not isinstance(feature, BagFeature) or feature.separator is None:
        return {name: column}
    if feature.weight_separator is None:
        return {name: split_lists(column, name, feature.separator)}
    values, weights = split_weighted(column, name, feature.separator, feature.weight_separator)
    return {name: values, str(feature.weights_column): weights}


def tails(column: Column, max_length: int) -> Column:
    """Return the last `max_length` values of each list; what is no list passes as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not isinstance(column, pa.Array):
        return [items[-max_length:] if isinstance(items, list | tuple | np.ndarray) else items for items in column]
    if not is_list(column.type):
        return column
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if lengths.max(initial=0) <= max_length:
        return column
    kept = np.minimum(lengths, max_length)
    starts = np.cumsum(lengths) - kept
    return pa.LargeListViewArray.from_arrays(pa.array(starts), pa.array(kept), column.flatten())
