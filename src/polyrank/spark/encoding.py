"""`encode`: the rows of a DataFrame as a folder of shards, from which `polyrank train` reads them as they are."""

import dataclasses
import os
from typing import TYPE_CHECKING

from polyrank.arguments import instance, path
from polyrank.schema import Schema
from polyrank.staging import staged_directory

from .committing import ATTEMPTS, Shards, commit
from .frames import check_frame, picked, types_of
from .types import check_types
from .writing import WRITTEN, shard_writer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from polyrank.train import TrainConfig


def encode(
    df: "DataFrame", schema: Schema, out: str | os.PathLike[str], *, config: "TrainConfig | None" = None
) -> Shards:
    """Encode rows for training, now, as a folder of one file for each partition, which appears whole or not at all.

    `polyrank train OUT` and `fit(schema, OUT)` train from it with the same schema and split. Rows are in the order of
    the frame, which decides the run as that of rows in files does: sort them first where it shall be the same again.
    A shard holds each row once, however often its task was tried.

    Args:
        df: rows with the columns of features and tasks, and those that the split looks at.
        schema: features and tasks.
        out: a directory that the driver and all executors see under this name; must not exist or be empty.
        config: its `[validation]` says what the split looks at; None takes the defaults.

    Raises:
        ConfigError: `df` is no DataFrame, or an argument of a wrong type.
        DataError: a column is missing, or of a type that its feature does not take; or there is no row. A wrong value
            fails the job, whose error ends in the line that says so.
        MissingExtraError: the extra `spark` or `train` is not installed.
        OutputError: `out` exists, or cannot be written.
    """
    check_frame(df)
    from polyrank.train import TrainConfig
    from polyrank.train.encoded import RowEncoder

    instance("schema", schema, Schema, "a Schema, such as Schema.load(path)")
    config = TrainConfig() if config is None else config
    instance("config", config, TrainConfig, "a TrainConfig, such as TrainConfig.load(path)")
    target, schema = path("out", out).absolute(), schema.resolved()
    columns = RowEncoder(schema, config.validation).columns
    check_types(schema, schema.features, types_of(df, columns))
    with staged_directory(target, alone=True) as stage:
        attempts = stage / ATTEMPTS
        attempts.mkdir()
        tasks = picked(df, columns).mapInArrow(shard_writer(schema, config, attempts, columns), WRITTEN)
        found = commit(sorted(tasks.collect(), key=lambda row: row.partition), stage, schema, config)
    return dataclasses.replace(found, path=target)
