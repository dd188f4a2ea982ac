"""Rows that others encoded: a folder of Arrow files, and `shards.json`."""

import bisect
import itertools
import resource
from pathlib import Path
from typing import Any

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.train.config import TrainConfig

from .identity import digest
from .manifest import ANEW, Manifest, Shard, described_by, difference_of, way_of
from .mapped import MappedStorage
from .rows import EncodedRows

_SPARE_FILES = 128
"""Files that a training opens beside its shards."""


def open_shards(folder: Path, schema: Schema, config: TrainConfig) -> "ShardStorage | None":
    """Open a folder of shards; None where it is none.

    Content is compared with its checksums when it is first read.

    Raises:
        DataError: they were encoded in another way than `schema` and the split of `config` ask for; one is missing or
            damaged; or there are more than this process may open.
    """
    manifest = Manifest.read(folder)
    if manifest is None:
        return None
    way = way_of(schema, config)
    if (difference := difference_of(manifest.way, way)) is not None:
        raise DataError(
            f"{folder} holds shards that were encoded in another way: {difference}; {ANEW}, or train with the schema "
            f"and the [validation] that they were encoded with"
        )
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES
    if len(manifest.shards) > limit:
        raise DataError(
            f"{folder} holds {len(manifest.shards):,} shards, and this process may open {limit:,}; raise the limit "
            f"(ulimit -n), or encode fewer partitions, as of df.coalesce({max(limit, 1)})"
        )
    return ShardStorage([_opened(folder, shard, way) for shard in manifest.shards])


class ShardStorage:
    """Rows of several files, one after the other."""

    def __init__(self, files: "list[ShardFile]") -> None:
        self._files = files
        self._starts = [0, *itertools.accumulate(len(file.lengths) for file in files)]
        self._read = set[ShardFile]()
        self.lengths = tuple(length for file in files for length in file.lengths)

    def piece(self, index: int) -> EncodedRows:
        """View a piece of a file.

        Raises:
            DataError: it is not what was written.
        """
        file, place = self._at(index)
        self._read.add(file)
        return file.piece(place)

    def expect(self, index: int, start: int, stop: int) -> None:
        """Make the system begin to read rows of a piece, without waiting for them."""
        file, place = self._at(index)
        file.expect(place, start, stop)

    def digest(self) -> str:
        """Return hexadecimal digits that stand for the rows: of the checksums that were written with them."""
        return digest([file.digest() for file in self._files])

    def release(self) -> None:
        """Let the system take the pages back."""
        for file in self._read:
            file.release()
        self._read.clear()

    def _at(self, index: int) -> "tuple[ShardFile, int]":
        file = bisect.bisect_right(self._starts, index) - 1
        return self._files[file], index - self._starts[file]


class ShardFile(MappedStorage):
    """One file of shards, which is not ours to remove."""

    def damaged(self) -> DataError:
        """Return the error for a file that is not what was written."""
        return _damaged(self.file)


def _opened(folder: Path, shard: Shard, way: dict[str, Any]) -> ShardFile:
    file = folder / Path(shard.file).name
    if not file.is_file():
        raise DataError(f"shard {file} is missing; copy it there, or {ANEW}")
    if file.stat().st_size != shard.size_bytes:
        raise _damaged(file)
    found = ShardFile.open(file, described_by(way))
    if found is None or sum(found.lengths) != shard.num_rows or found.digest() != shard.digest:
        raise _damaged(file)
    return found


def _damaged(file: Path) -> DataError:
    return DataError(f"shard {file} is damaged: it is not what was written; copy it again, or {ANEW}")
