"""Whether columns are of types that a schema's features take, found out before a job starts."""

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

from polyrank.encoder import Encoder
from polyrank.errors import DataError, RowError
from polyrank.features import BagFeature, CrossFeature, Feature, NeighborsFeature, VectorFeature
from polyrank.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql.types import DataType


def check_types(schema: Schema, features: tuple[Feature, ...], types: "Mapping[str, DataType]") -> None:
    """Encode one row of each feature, of a value that any feature takes, for what the encoder says of its type.

    A cross needs none: its parts are features too.

    Raises:
        DataError: a column is of a type that its feature does not take.
    """
    for feature in features:
        if not isinstance(feature, CrossFeature | NeighborsFeature):
            _check(schema, feature, types)


def _check(schema: Schema, feature: Feature, types: "Mapping[str, DataType]") -> None:
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_type

    encoder = Encoder(schema, features=[feature.name])
    try:
        columns = {name: [_sample(to_arrow_type(types[name]), feature)] for name in encoder.columns}
        table = pa.table({name: pa.array(values, to_arrow_type(types[name])) for name, values in columns.items()})
        encoder.encode(table)
    except RowError as err:
        kind = types[feature.name].simpleString()
        raise DataError(f"column {feature.name!r} is {kind}{err.rest}") from err


def _sample(kind: Any, feature: Feature) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return [_sample(kind.value_type, feature)] * (feature.dim if isinstance(feature, VectorFeature) else 1)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        weights = feature.weight_separator if isinstance(feature, BagFeature) else None
        return "0" if weights is None else f"0{weights}1"
    values = {
        pa.types.is_binary: b"0",
        pa.types.is_boolean: False,
        pa.types.is_integer: 0,
        pa.types.is_floating: 0.0,
        pa.types.is_decimal: decimal.Decimal(0),
        pa.types.is_date: dt.date(1970, 1, 1),
        pa.types.is_timestamp: dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        pa.types.is_duration: dt.timedelta(0),
        pa.types.is_map: [],
        pa.types.is_struct: {},
    }
    return next((value for is_kind, value in values.items() if is_kind(kind)), None)
