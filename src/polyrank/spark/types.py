"""Whether columns are of types that a schema's features take, found out before a job starts."""

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

from polyrank.encoder import Encoder
from polyrank.errors import DataError
from polyrank.features import BagFeature, CrossFeature, Feature, NeighborsFeature, VectorFeature
from polyrank.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql.types import DataType

_SAMPLES: dict[str, object] = {
    "binary": b"0",
    "boolean": False,
    **dict.fromkeys(("byte", "short", "integer", "long"), 0),
    **dict.fromkeys(("float", "double"), 0.0),
    "decimal": decimal.Decimal(0),
    "date": dt.date(1970, 1, 1),
    **dict.fromkeys(("timestamp", "timestamp_ntz"), dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
    "struct": {"field": 0},
    "map": {"key": 0},
    "void": None,
}
"""A value of each of Spark's types that no feature refuses for what it is."""


def check_types(schema: Schema, features: "Sequence[Feature]", types: "Mapping[str, DataType]") -> None:
    """Encode a row of each feature, of a value that any feature takes, for what the encoder says of its type.

    A cross needs none: its parts are features too.

    Raises:
        DataError: a column is of a type that its feature does not take.
    """
    for feature in features:
        if not isinstance(feature, CrossFeature | NeighborsFeature):
            _check(schema, feature, types)


def _check(schema: Schema, feature: Feature, types: "Mapping[str, DataType]") -> None:
    import pyarrow as pa

    encoder = Encoder(schema, features=[feature.name])
    # Fingerprints need no weights of a bag, so that these may not be there.
    samples = {name: [_sample(name, types[name], feature) if name in types else [1.0]] for name in encoder.columns}
    try:
        encoder.encode(pa.table(samples))
    except DataError as err:
        # What follows the type of the sample, which may differ in what no feature looks at.
        reason = str(err).partition("; ")[2].rpartition(": ")[2]
        raise DataError(f"column {feature.name!r} is {types[feature.name].simpleString()}; {reason}") from err


def _sample(column: str, kind: "DataType", feature: Feature) -> Any:
    name = kind.typeName()
    if name == "array":
        value = _sample(column, kind.elementType, feature)
        return [value] * (feature.dim if isinstance(feature, VectorFeature) else 1)
    if name in ("string", "char", "varchar"):
        weights = feature.weight_separator if isinstance(feature, BagFeature) else None
        return "0" if weights is None else f"0{weights}1"
    if name not in _SAMPLES:
        raise DataError(f"column {column!r} is {kind.simpleString()}; cast it to what a feature takes, such as text")
    return _SAMPLES[name]
