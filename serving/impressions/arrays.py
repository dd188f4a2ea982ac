"""Values of features to Arrow arrays whose type is the schema's, not that of whatever values come first."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polyrank.canonical.items import key_of
from polyrank.canonical.reading import new_reading
from polyrank.features import (
    BagFeature,
    BucketizedFeature,
    CategoricalFeature,
    Feature,
    NumericFeature,
    SequenceFeature,
    TextFeature,
    VectorFeature,
)
from polyrank.rows import is_missing
from polyrank.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa


def column_types(schema: Schema) -> "dict[str, pa.DataType]":
    """Return the type of each column of features that a dict holds."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    for feature in schema.features:
        kind = _type(feature)
        if kind is not None:
            types[feature.name] = kind
        if isinstance(feature, BagFeature) and feature.weights is not None:
            types[feature.weights] = pa.list_(pa.float64())
    return types


def array_of(values: Sequence[Any], kind: "pa.DataType | None", column: str) -> "pa.Array":
    """Return values as an array of `kind`, also where they come as text, or of another type that it takes.

    Raises:
        pa.ArrowException: no type holds them.
    """
    import pyarrow as pa

    if kind is None:
        found = pa.array(values, from_pandas=True)
        return found.cast(pa.string()) if pa.types.is_null(found.type) else found
    faults = (pa.ArrowException, TypeError, ValueError, OverflowError)
    with contextlib.suppress(*faults):
        return pa.array(values, kind, from_pandas=True)
    with contextlib.suppress(*faults):
        return pa.array([_plain(value, kind, column) for value in values], kind)
    return pa.array(values, from_pandas=True)


def _type(feature: Feature) -> "pa.DataType | None":
    import pyarrow as pa

    if isinstance(feature, CategoricalFeature | BagFeature | SequenceFeature):
        single = pa.int64() if feature.dtype == "int64" else pa.string()
        if isinstance(feature, CategoricalFeature):
            return single
        is_cut = isinstance(feature, BagFeature) and feature.separator is not None
        return pa.string() if is_cut else pa.list_(single)
    if isinstance(feature, NumericFeature | BucketizedFeature):
        return pa.float64()
    if isinstance(feature, VectorFeature):
        return pa.list_(pa.float32())
    return pa.string() if isinstance(feature, TextFeature) else None


def _plain(value: Any, kind: "pa.DataType", column: str) -> Any:
    """Return a value as Python's own of a type: for what is hashed, as its canonical form has it."""
    import pyarrow as pa

    if is_missing(value):
        return None
    if hasattr(value, "as_py"):
        value = value.as_py()
    if pa.types.is_list(kind):
        return [_plain(item, kind.value_type, column) for item in value]
    if pa.types.is_floating(kind):
        return float(value)
    key = key_of(value, 0, new_reading("int64" if pa.types.is_integer(kind) else "text", (), column))
    return key.decode() if isinstance(key, bytes) else key
