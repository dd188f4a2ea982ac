"""`score`: the rows of a DataFrame, scored by a bundle on its executors."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from polyrank.arguments import integer, path
from polyrank.errors import ConfigError

from .bundles import ship, shipped
from .frames import check_frame, picked, renamed, types_of
from .types import check_types

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField, StructType

    from polyrank.serving.served import Served

MAX_BATCH_ROWS = 1_000_000


def score(
    df: "DataFrame",
    bundle: str | os.PathLike[str],
    *,
    keep: Sequence[str] | None = None,
    batch_rows: int = 8192,
) -> "DataFrame":
    """Add a column of scores for each task, equal to those of `LocalRanker.score`.

    Nothing is computed before the frame is used, as always in Spark. Each task runs on one core. The columns of scores
    have metadata that says whose they are, as the scores of `LocalRanker` have: `polyrank.model`, `polyrank.version`
    and `polyrank.run_id`.

    Args:
        df: rows with the columns of the features.
        bundle: its directory on the driver, or that of a published version; executors need not see it.
        keep: columns that go beside the scores; None keeps all.
        batch_rows: how many rows a task encodes at a time, of those that Spark hands over together, which are 10,000
            unless `spark.sql.execution.arrow.maxRecordsPerBatch` says otherwise.

    Raises:
        ConfigError: `df` is no DataFrame; `keep` is text, or names a column twice, or one that scores have too; or
            `batch_rows` is not in [1, 1,000,000].
        DataError: a column is missing, or of a type that its feature does not take. A job that reads a wrong value
            fails, and its error ends in the line that says so.
        MissingExtraError: the extra `spark` is not installed.
        RepositoryError: the bundle is missing or damaged, or its graph is one over requests.
    """
    from polyrank.serving.local import served_by

    check_frame(df)
    integer("batch_rows", batch_rows, range(1, MAX_BATCH_ROWS + 1), f"[1, {MAX_BATCH_ROWS:,}]")
    folder = path("bundle", bundle)
    served = served_by(folder)
    schema = served.signature.schema
    if isinstance(keep, str):
        raise ConfigError(f"keep must be a list of columns, as in keep=['user_id'], got {keep!r}")
    kept = list(df.columns if keep is None else keep)
    _check_keep(kept, served, "df has" if keep is None else "keep names")
    read = list(dict.fromkeys((*schema.feature_columns, *kept)))
    check_types(schema, schema.features, types_of(df, read))
    scorer = _scorer(ship(df.sparkSession.sparkContext, folder), read, kept, batch_rows)
    return picked(df, read).mapInArrow(scorer, _output(df, kept, served))


def _check_keep(kept: Sequence[str], served: "Served", subject: str) -> None:
    for name in kept:
        if kept.count(name) > 1:
            raise ConfigError(f"{subject} column {name!r} twice; keep it once, as in keep=['user_id']")
        if name in served.widths:
            raise ConfigError(
                f"{subject} column {name!r}, which scores have too; rename it in df, or keep others, as in "
                f"keep=['user_id']"
            )


def _output(df: "DataFrame", kept: Sequence[str], served: "Served") -> "StructType":
    from pyspark.sql.types import ArrayType, FloatType, StructField, StructType

    def scored(name: str, width: int) -> "StructField":
        kind = FloatType() if width == 1 else ArrayType(FloatType())
        return StructField(name, kind, metadata=served.metadata)

    return StructType([*(df.schema[name] for name in kept), *(scored(*item) for item in served.widths.items())])


def _scorer(
    place: str, read: Sequence[str], kept: Sequence[str], batch_rows: int
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return what a task does with its rows."""

    def scored(batches: Iterator[Any]) -> Iterator[Any]:
        from .kernel import without_row

        for batch in batches:
            for start in range(0, batch.num_rows, batch_rows):
                rows = renamed(batch.slice(start, batch_rows), read)
                with without_row():
                    scores = shipped(place).score(rows)
                yield from _joined(rows.select(kept), scores)

    return scored


def _joined(kept: Any, scores: Any) -> list[Any]:
    import pyarrow as pa

    columns = dict(zip(kept.column_names, kept.columns, strict=True))
    for name, column in zip(scores.column_names, scores.columns, strict=True):
        is_list = pa.types.is_fixed_size_list(column.type)
        columns[name] = column.cast(pa.list_(pa.float32())) if is_list else column
    batches: list[Any] = pa.table(columns).combine_chunks().to_batches()
    return batches
