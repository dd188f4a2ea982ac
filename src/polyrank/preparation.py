"""Columns, and cells of dicts, that are turned into lists before a table is encoded."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyrank.canonical.arrow import is_list
from polyrank.features import BagFeature, HashedFeature, SequenceFeature
from polyrank.rows import Column
from polyrank.separated import split_lists, split_pairs, split_weighted

FEW_ROWS = 100  # about where text with weights takes as long by way of columns, on an AMD EPYC (family 25, model 17)


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


def prepared_rows(features: Sequence[HashedFeature], rows: Sequence[object]) -> list[dict[str, object]] | None:
    """Return copies of dicts with what takes the place of features' cells; None for rows that are left to `prepared`.

    A request is a few dicts, for which the way over columns takes longer than all else.
    """
    if len(rows) > FEW_ROWS:
        return None
    ready = []
    for row in rows:
        if type(row) is not dict:
            return None
        copy = dict(row)
        for feature in features:
            cells = _prepared_cells(feature, copy)
            if cells is None:
                return None
            copy |= cells
        ready.append(copy)
    return ready


def _prepared_cells(feature: HashedFeature, row: Mapping[str, Any]) -> dict[str, object] | None:
    """Return what takes the place of a feature's cell; None where that is not there, or no null, text or list."""
    name = feature.name
    if name not in row:
        return None
    value = row[name]
    if isinstance(feature, SequenceFeature):
        values = () if value is None else value  # null is an empty sequence
        return {name: values[-feature.max_length :]} if isinstance(values, list | tuple | np.ndarray) else None
    if not isinstance(feature, BagFeature) or feature.separator is None:
        return {}
    if feature.weight_separator is None:
        return {name: value.split(feature.separator) if value else None} if _is_text(value) else None
    pairs = split_pairs(value or "", feature.separator, feature.weight_separator) if _is_text(value) else None
    return None if pairs is None else {name: pairs[0], str(feature.weights_column): pairs[1]}


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


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
