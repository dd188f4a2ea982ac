"""`encode`: the rows of a DataFrame as a folder of shards, from which `polyrank train` reads them as they are."""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.arguments import instance, path
from polyrank.errors import DataError, OutputError
from polyrank.schema import Schema
from polyrank.staging import flush, staged_directory

from .frames import check_frame, picked, types_of
from .types import check_types
from .writing import WRITTEN, not_shared, shard_writer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from polyrank.train import TrainConfig

_ATTEMPTS, _REST = "attempts", "rest"


@dataclasses.dataclass(frozen=True)
class Shards:
    """What was written: where, how many rows, in how many files."""

    path: Path
    num_rows: int
    num_shards: int


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
    config = config or TrainConfig()
    instance("config", config, TrainConfig, "a TrainConfig, such as TrainConfig.load(path)")
    target, schema = path("out", out).absolute(), schema.resolved()
    columns = RowEncoder(schema, config.validation).columns
    check_types(schema, schema.features, types_of(df, columns))
    with staged_directory(target, alone=True) as stage:
        attempts = stage / _ATTEMPTS
        attempts.mkdir()
        tasks = picked(df, columns).mapInArrow(shard_writer(schema, config, attempts, columns), WRITTEN)
        found = _commit(sorted(tasks.collect(), key=lambda row: row.partition), stage, schema, config)
    return dataclasses.replace(found, path=target)


def _commit(written: Sequence[Any], stage: Path, schema: Schema, config: "TrainConfig") -> Shards:
    """Keep the files of the attempts that Spark tells of, and remove those of all others.

    Raises:
        DataError: there is no row.
        OutputError: a file is not there.
    """
    from polyrank.train.encoded.manifest import Manifest, Shard, way_of

    if not written:
        raise DataError("df holds no row; nothing is left to train on")
    shards = []
    for place, row in enumerate(written):
        file = f"part-{place:05d}.arrow"
        _keep(stage / _ATTEMPTS / row.file, stage / file, row.size_bytes)
        shards.append(Shard(file=file, num_rows=row.num_rows, size_bytes=row.size_bytes, digest=row.digest))
    # A straggler that would begin to write from now on finds no folder.
    rest = (stage / _ATTEMPTS).rename(stage / _REST)
    shutil.rmtree(rest)
    flush(stage)
    Manifest(way=way_of(schema, config), shards=tuple(shards)).write(stage)
    return Shards(stage, sum(shard.num_rows for shard in shards), len(shards))


def _keep(file: Path, target: Path, size_bytes: int) -> None:
    if not (file.is_file() and file.stat().st_size == size_bytes):
        raise OutputError(
            f"{file.parents[2]} lacks what executors wrote there; name a directory that all machines share"
        )
    file.rename(target)
