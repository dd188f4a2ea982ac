"""Columns of integers that are rows of a table as they are, without a hash."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.canonical import new_reading
from polyrank.canonical.arrow import decoded, import_arrow
from polyrank.canonical.reading import to_integer
from polyrank.fingerprint import MISSING, fingerprint
from polyrank.rows import Column

from .groups import Field


def identities(field: Field, column: Column) -> NDArray[np.int64]:
    """Read integers, int64 [n], -1 where missing.

    Raises:
        DataError: a value is no integer of 64 bits, or not in [0, below).
    """
    # Missing tokens, and the words for what is no integer, are those of a hashed column.
    present = fingerprint(column, dtype="int64", missing=field.missing, column=field.name) != MISSING
    integers = np.where(present, _integers(field, column, present), MISSING)
    if field.below is not None:
        wrong = present & ((integers < 0) | (integers >= field.below))
        if wrong.any():
            row = int(wrong.argmax())
            why = f"ids in [0, {field.below}) expected, since the feature has identity and as many num_buckets"
            raise new_reading("int64", (), field.name).refusal(int(integers[row]), row, why)
    return integers


def fill_identities(slots: NDArray[np.int64], field: Field, values: Sequence[Any]) -> bool:
    """Put integers in the place of their fingerprints, int64 [B, slots of the group]; `values` are a list for each row.

    Return whether all are in range; where one is not, `identities` has the words for it.
    """
    reading, are_in_range = new_reading("int64", field.missing, field.name), True
    for row, place in np.argwhere(slots != MISSING).tolist():
        value = values[row][place]
        number = value if type(value) is int else int(reading.odd_value(value, row) or 0)
        slots[row, place] = number
        are_in_range &= field.below is None or 0 <= number < field.below
    return are_in_range


def _integers(field: Field, column: Column, present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the integers where values are present, anything elsewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.Array | pa.ChunkedArray):
        reading = new_reading("int64", field.missing, field.name)
        keys = (reading.odd_value(value, row) if present[row] else 0 for row, value in enumerate(column))
        return np.fromiter((int(key or 0) for key in keys), np.int64, len(column))
    array = decoded(import_arrow(column)).combine_chunks()
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)):
        return _of_texts(array, present)
    kept = pc.if_else(pa.array(present), array, pa.scalar(None, array.type))
    return np.asarray(pc.fill_null(kept.cast(pa.int64()), 0).to_numpy(zero_copy_only=False), np.int64)


def _of_texts(array: Any, present: NDArray[np.bool_]) -> NDArray[np.int64]:
    texts = zip(array.to_pylist(), present, strict=True)
    return np.fromiter((to_integer(text) or 0 if there else 0 for text, there in texts), np.int64)
