"""Spark SQL for columns whose types are known, which refuses what the format refuses in every mode of a session."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from polyrank.batch import Cross, HashedColumn
from polyrank.batch.columns import Hashed
from polyrank.batch.spark import Spark
from polyrank.batch.sql import expression

if TYPE_CHECKING:
    from pyspark.sql.types import DataType

_INTEGERS = ("byte", "short", "integer", "long")


@dataclasses.dataclass(frozen=True)
class Values:
    """What an expression reads: values of a column, of a Spark type."""

    column: str
    kind: "DataType"


class TypedSpark(Spark):
    """Spark SQL over the values of a feature, by the expressions that read them."""

    def __init__(self, values: Mapping[str, Values]) -> None:
        self._values = values

    def literal(self, text: str) -> str:  # noqa: D102 (see Dialect)
        # A session may read backslashes as they are (spark.sql.parser.escapedStringLiterals).
        return super().literal(text) if "\\" not in text and "'" not in text else f"CAST({_hex(text)} AS STRING)"

    def integer(self, value: str) -> str:  # noqa: D102
        if not self._is_text(value):
            return super().integer(value)
        # try_cast alone takes +46, and 46 between spaces.
        is_plain = f"translate({value}, '0123456789', '') IN ('', '-')"
        words = self.literal("; decimal integers of 64 bits expected (dtype int64)")
        begin = self.literal(f"column {self._values[value].column!r} holds ")
        fault = f"raise_error(concat({begin}, {value}, {words}))"
        return f"coalesce(CASE WHEN {is_plain} THEN try_cast({value} AS BIGINT) END, {fault})"

    def is_null(self, value: str, dtype: str) -> str:  # noqa: D102
        return f"{value} IS NULL" if self._is_text(value) else super().is_null(value, dtype)

    def _is_text(self, value: str) -> bool:
        return bool(self._values[value].kind.typeName() == "string")


def expression_of(column: Hashed, types: "Mapping[str, DataType]") -> str | None:
    """Return the SQL of a column of fingerprints, None where Spark reads values otherwise than the format does.

    Args:
        column: what is hashed.
        types: of the frame's columns.
    """
    parts = column.parts if isinstance(column, Cross) else (column,)
    values = {}
    for part in parts:
        kind = _value_type(part, types[part.name])
        if kind is None or not _is_read_alike(part, kind):
            return None
        values["value" if part.is_bag else Spark().name(part.name)] = Values(part.name, kind)
    return expression(column, TypedSpark(values))


def _value_type(column: HashedColumn, kind: "DataType") -> "DataType | None":
    if not column.is_bag:
        return kind
    if column.separator is not None:
        is_cut = kind.typeName() == "string" and column.weight_separator is None
        return kind if is_cut else None
    return getattr(kind, "elementType", None)


def _is_read_alike(column: HashedColumn, kind: "DataType") -> bool:
    """Say whether Spark's casts give the canonical bytes: not those of floats, nor of text with a collation."""
    name = kind.typeName()
    if name == "string":
        return getattr(kind, "collation", "UTF8_BINARY") == "UTF8_BINARY"
    if name == "boolean" and column.dtype == "int64":
        return not column.missing  # a token is compared with text, which `true` here is not
    return name in _INTEGERS or name == "boolean" or (name == "binary" and column.dtype == "text")


def _hex(text: str) -> str:
    return f"X'{text.encode().hex()}'"
