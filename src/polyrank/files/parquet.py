"""Parquet files, here or in a store: row group by row group, and never as a whole."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from .copying import local_copy
from .pieces import MAX_BYTES, MAX_ROWS
from .remote import Location, RemotePath
from .remote_file import RemoteFile

MAX_GROUP_BYTES = 256 * 2**20
"""A row group of a store with more of the wanted columns comes column by column, as Arrow asks for it."""

_BUFFER_BYTES = 2**20  # of each column at a time, where the default takes a row group
_REMOTE_BUFFER_BYTES = 8 * 2**20  # a request takes as long as some megabytes do


@dataclasses.dataclass(frozen=True)
class OpenParquet:
    """An open file.

    Attributes:
        parquet: as Arrow has it, a `pyarrow.parquet.ParquetFile`.
        remote: what it is read from, where it is in a store.
    """

    parquet: Any
    remote: RemoteFile | None = None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Read record batches of about `MAX_BYTES`, by the row group with the largest rows.

        Arrow decodes a row group as a whole, and asked for several it lets go of none before the last.

        Raises:
            DataError: the store cannot be reached.
        """
        names = None if columns is None else list(columns)
        size = _batch_rows(self.parquet.metadata)
        for group in range(self.parquet.metadata.num_row_groups):
            if self.remote is not None:
                self._fetch(self.remote, group, names)
            yield from self.parquet.iter_batches(batch_size=size, row_groups=[group], columns=names)

    def _fetch(self, remote: RemoteFile, group: int, columns: Sequence[str] | None) -> None:
        """Fetch what a row group holds of some columns, or all, in as few requests as the store makes of it."""
        found = self.parquet.metadata.row_group(group)
        chunks = [found.column(index) for index in range(found.num_columns)]
        wanted = [each for each in chunks if columns is None or each.path_in_schema.partition(".")[0] in columns]
        spans = [_span(each) for each in wanted]
        if sum(stop - start for start, stop in spans) <= MAX_GROUP_BYTES:
            remote.fetch(_joined(sorted(spans)))


@contextlib.contextmanager
def open_parquet(file: Location) -> Iterator[OpenParquet]:
    """Open a Parquet file, here or in a store; that of a server which gives no parts of files is copied first.

    Raises:
        DataError: the store cannot be reached.
        OutputError: there is no room for the copy.
        ArrowInvalid: it is no Parquet file.
    """
    import pyarrow.parquet as pq

    size = file.size() if isinstance(file, RemotePath) else None
    if isinstance(file, RemotePath) and size is not None:
        source = RemoteFile(file, size)
        with pq.ParquetFile(source, buffer_size=_REMOTE_BUFFER_BYTES) as parquet:
            yield OpenParquet(parquet, source)
        return
    with local_copy(file) as local, pq.ParquetFile(local, buffer_size=_BUFFER_BYTES) as parquet:
        yield OpenParquet(parquet)


def _batch_rows(metadata: Any) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1024, min(MAX_ROWS, int(MAX_BYTES / max(row_bytes, 1.0))))


def _span(chunk: Any) -> tuple[int, int]:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that follow on one another, or nearly do."""
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= _BUFFER_BYTES:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
