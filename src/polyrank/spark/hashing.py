"""`fingerprints`: the columns that `polyrank fingerprint` adds to a file, added to a DataFrame."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polyrank.arguments import instance
from polyrank.batch import Cross, hashed_columns, hashed_crosses
from polyrank.batch.columns import SUFFIX, Hashed, HashedColumn
from polyrank.errors import ConfigError, DataError
from polyrank.features import TextFeature
from polyrank.schema import Schema

from .expressions import expression_of
from .frames import check_frame, quoted, types_of
from .types import check_types

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType


def fingerprints(df: "DataFrame", schema: Schema) -> "DataFrame":
    """Add a column `<name>_fingerprint` for each hashed feature of a schema, equal to the kernel's bit for bit.

    It is a bigint for a categorical feature and a cross, -1 where missing; an array of bigint for a bag and a sequence,
    whole, and for a text, the first `max_length` of its n-grams. A null array or text stays null. Features with
    `identity` are not hashed. docs/spark.md says which are SQL and which call the kernel on executors.

    Raises:
        ConfigError: `df` is no DataFrame, `schema` no Schema, or it has nothing to hash.
        DataError: a column is missing, of a wrong type, or there already. A job that reads a value without a canonical
            form fails, and its error ends in the line that says so.
        MissingExtraError: the extra `spark` is not installed.
    """
    check_frame(df)
    instance("schema", schema, Schema, "a Schema, such as Schema.load(path)")
    schema = schema.resolved()
    columns: tuple[Hashed, ...] = (*hashed_columns(schema), *hashed_crosses(schema))
    texts = [feature for feature in schema.features if isinstance(feature, TextFeature)]
    outputs = [column.output for column in columns] + [text.name + SUFFIX for text in texts]
    if not outputs:
        raise ConfigError(f"schema {schema.name!r} has no feature that is hashed")
    types = types_of(df, [*dict.fromkeys(name for column in columns for name in _names(column)), *_named(texts)])
    check_types(schema, tuple(each for each in schema.hashed_features if not getattr(each, "identity", False)), types)
    for name in outputs:
        if name in df.columns:
            raise DataError(f"df has a column {name!r} already; rename it or leave it out")
    found = [*(_hashed(column, types) for column in columns), *map(_ngrams, texts)]
    return df.select("*", *(column.alias(name) for column, name in zip(found, outputs, strict=True)))


def _names(column: Hashed) -> list[str]:
    return [part.name for part in column.parts] if isinstance(column, Cross) else [column.name]


def _named(features: Sequence[TextFeature]) -> list[str]:
    return [feature.name for feature in features]


def _hashed(column: Hashed, types: "Mapping[str, DataType]") -> "Column":
    from pyspark.sql import functions

    from .kernel import hasher

    if (sql := expression_of(column, types)) is not None:
        return functions.expr(sql)
    is_bag = isinstance(column, HashedColumn) and column.is_bag
    return _by_kernel(hasher(column), "array<bigint>" if is_bag else "bigint", _names(column))


def _ngrams(feature: TextFeature) -> "Column":
    from .kernel import ngram_hasher

    return _by_kernel(ngram_hasher(feature), "array<bigint>", [feature.name])


def _by_kernel(function: Callable[..., Any], kind: str, names: Sequence[str]) -> "Column":
    from pyspark.sql import functions

    return functions.arrow_udf(function, kind)(*(functions.col(quoted(name)) for name in names))
