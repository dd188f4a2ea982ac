"""What the driver does when all tasks are done: of the attempts at each partition it keeps one."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import DataError, OutputError
from polyrank.schema import Schema
from polyrank.staging import flush

from .writing import not_shared

if TYPE_CHECKING:
    from polyrank.train import TrainConfig

ATTEMPTS, _REST = "attempts", "rest"


@dataclasses.dataclass(frozen=True)
class Shards:
    """What was written: where, how many rows, in how many files."""

    path: Path
    num_rows: int
    num_shards: int


def commit(written: Sequence[Any], stage: Path, schema: Schema, config: "TrainConfig") -> Shards:
    """Keep the files of the attempts that `written` tells of, in their order, and remove those of all others.

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
        _keep(stage / ATTEMPTS / row.file, stage / file, row.size_bytes)
        shards.append(Shard(file=file, num_rows=row.num_rows, size_bytes=row.size_bytes, digest=row.digest))
    # A straggler that would begin to write from now on finds no folder.
    rest = (stage / ATTEMPTS).rename(stage / _REST)
    shutil.rmtree(rest)
    flush(stage)
    Manifest(way=way_of(schema, config), shards=tuple(shards)).write(stage)
    return Shards(stage, sum(shard.num_rows for shard in shards), len(shards))


def _keep(file: Path, target: Path, size_bytes: int) -> None:
    if not (file.is_file() and file.stat().st_size == size_bytes):
        raise OutputError(not_shared(file.parents[2]))
    file.rename(target)
