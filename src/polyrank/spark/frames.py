"""DataFrames: whether one is there, holds the columns that are asked for, and hands them to Python."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polyrank.arguments import named
from polyrank.errors import ConfigError, DataError, MissingExtraError
from polyrank.spelling import suggestion

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType


_SHOWN = 10
"""Columns that a message lists."""


def check_frame(df: object) -> None:
    """Refuse what is no DataFrame of a Spark session in this process.

    Raises:
        MissingExtraError: the extra `spark` is not installed.
        ConfigError: `df` is something else, or of Spark Connect.
    """
    try:
        import pandas  # noqa: F401, ICN001 (PySpark hands nothing to Python without it)
        from pyspark.sql import DataFrame
        from pyspark.sql.classic.dataframe import DataFrame as Classic
    except ImportError as err:
        raise MissingExtraError("polyrank.spark needs pyspark and pandas; pip install 'polyrank[spark]'") from err
    if not isinstance(df, DataFrame):
        raise ConfigError(f"df must be a DataFrame of Spark, got {named(df)}")
    if not isinstance(df, Classic):
        raise ConfigError("df must be of a classic Spark session, got one of Spark Connect; run this on the driver")


def types_of(df: "DataFrame", names: Sequence[str]) -> "dict[str, DataType]":
    """Return the Spark types of the named columns.

    Raises:
        DataError: one is missing, or there twice.
    """
    present = [field.name for field in df.schema.fields]
    for name in names:
        if name not in present:
            others = [other for other in present if other not in names]
            shown = ", ".join(others[:_SHOWN]) + (" and more" if len(others) > _SHOWN else "")
            raise DataError(f"df has no column {name!r}{suggestion(name, others)} (others are: {shown or 'none'})")
        if present.count(name) > 1:
            raise DataError(f"df has column {name!r} {present.count(name)} times; drop or rename one of them")
    return {field.name: field.dataType for field in df.schema.fields if field.name in names}


def picked(df: "DataFrame", names: Sequence[str]) -> "DataFrame":
    """Select columns under the names `0`, `1` and so on, which Spark's functions take, whatever is in their own."""
    from pyspark.sql import functions

    return df.select([functions.col(quoted(name)).alias(str(place)) for place, name in enumerate(names)])


def quoted(name: str) -> str:
    """Quote a column's name, which Spark would else read as a path."""
    return "`" + name.replace("`", "``") + "`"


def renamed(batch: Any, names: Sequence[str]) -> Any:
    """Return a batch of `picked` columns under their own names."""
    import pyarrow as pa

    return pa.Table.from_arrays(batch.columns, names=list(names))
