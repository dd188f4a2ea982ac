"""Journals to Parquet files: each batch once, whatever is killed between."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.reasons import first_line, system_reason
from polyrank.staging import flush

from .journal import PREFIX, SUFFIX, locked
from .lists import unnested, unnested_schema

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_PACKED = f"{SUFFIX}.packed"
_ROWS_IN_A_GROUP, _BYTES_IN_A_GROUP = 100_000, 32_000_000


@dataclasses.dataclass
class Recovered:
    """What writers that died had left in a folder.

    Attributes:
        files: Parquet files made of it.
        rows: impressions taken out of journals for them; a file that only lacked its name adds none.
        torn_bytes: bytes of batches that were not whole, and are gone.
    """

    files: int = 0
    rows: int = 0
    torn_bytes: int = 0


def recover(folder: Path) -> Recovered:
    """Make Parquet files of the journals of writers that died; those of the living are left alone.

    Any number of processes may do so at once. What cannot be read or written now stays for the next time.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    found = Recovered()
    for path in sorted(folder.glob(f"{PREFIX}*{_PACKED}")):
        with locked(path) as is_ours:
            if is_ours:
                _finish(path)
                found.files += 1
    for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")):
        with locked(path) as is_ours:
            if is_ours:
                _recover(path, found)
    return found


def _recover(journal: Path, found: Recovered) -> None:
    import pyarrow as pa

    try:
        rows, torn = pack(journal)
    # As of a journal that something else wrote, or a damaged one: others are recovered all the same.
    except (pa.ArrowException, UnicodeDecodeError) as err:
        logger.warning("%s cannot be made a Parquet file, and stays: %s", journal, first_line(err))
        return
    found.files += rows > 0
    found.rows += rows
    found.torn_bytes += torn


def recover_before_reading(place: Path) -> None:
    """Recover what lies in a folder that is read next; what cannot be recovered now is warned of, and left out.

    Args:
        place: what is read: only a folder may hold journals.
    """
    if not place.is_dir():
        return
    try:
        recover(place)
    except OSError as err:
        reason = system_reason(err)
        logger.warning("impressions of writers that died are left out of %s for now: %s", place, reason)


def pack(journal: Path) -> tuple[int, int]:
    """Put a Parquet file in the place of a journal, whose lock the caller holds.

    The journal's new name says that the Parquet file beside it is whole: before it the journal counts, after it the
    Parquet file, even when a reader has taken that away already.

    Returns:
        Rows, and bytes at the end of the journal that were no whole batch; 0 and 0 of a try that only ends another.

    Raises:
        OSError: the disk is full or fails; the journal stays.
        pa.ArrowException: no Parquet file can hold it; likewise.
    """
    import pyarrow as pa

    partial, packed = _partial(journal), journal.with_suffix(_PACKED)
    if packed.exists():  # the disk failed between the renames of an earlier try
        _finish(packed)
        return 0, 0
    try:
        rows, torn = _write(journal, partial)
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if rows == 0:
        journal.unlink()
        return 0, torn
    flush(partial)
    journal.rename(packed)
    flush(packed.parent)  # a disk that kept the second of the renames alone would have the rows twice
    _finish(packed)
    return rows, torn


def check_storable(schema: "pa.Schema") -> None:
    """Refuse columns of a journal that no Parquet file can hold, before it has them.

    Raises:
        pa.ArrowException: there is one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.ParquetWriter(pa.BufferOutputStream(), unnested_schema(schema)).close()


def _finish(packed: Path) -> None:
    partial = _partial(packed)
    with contextlib.suppress(FileNotFoundError):  # it was put in place before the writer died
        partial.rename(packed.parent / partial.name.removeprefix(".").removesuffix(".partial"))
    packed.unlink()
    flush(packed.parent)


def _partial(journal: Path) -> Path:
    name = journal.name.removesuffix(_PACKED).removesuffix(SUFFIX)
    return journal.parent / f"{name}.parquet.partial"


def _write(journal: Path, into: Path) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream, rows = _Stream(journal), 0
    if stream.schema is None:
        return 0, stream.torn_bytes
    with pq.ParquetWriter(into, unnested_schema(stream.schema), compression="zstd") as writer:
        for group in _groups(each for batch in stream for each in unnested(batch)):
            writer.write_table(pa.Table.from_batches(group))
            rows += sum(batch.num_rows for batch in group)
    if rows == 0:
        into.unlink()
    return rows, stream.torn_bytes


def _groups(batches: "Iterable[pa.RecordBatch]") -> "Iterator[list[pa.RecordBatch]]":
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        group.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _ROWS_IN_A_GROUP or size >= _BYTES_IN_A_GROUP:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


class _Stream:
    """The whole batches of a journal, one after the other."""

    def __init__(self, journal: Path) -> None:
        import pyarrow as pa

        self._file = pa.OSFile(str(journal))
        self.torn_bytes: int = self._file.size()
        self._reader = _unless_torn(lambda: pa.ipc.open_stream(self._file))
        self.schema: pa.Schema | None = None if self._reader is None else self._reader.schema
        self._count()

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        with self._file:
            while (batch := _unless_torn(self._next)) is not None:
                self._count()
                yield batch

    def _next(self) -> "pa.RecordBatch":
        """Return the next batch; what a disk has damaged may point outside of it, which would end the process."""
        batch = self._reader.read_next_batch()
        batch.validate(full=True)
        return batch

    def _count(self) -> None:
        if self.schema is not None:
            self.torn_bytes = self._file.size() - self._file.tell()


def _unless_torn(read: Callable[[], Any]) -> Any:
    """Return what is read; None at the end of a stream, be it where a message ends or within one."""
    import pyarrow as pa

    try:
        return read()
    except (StopIteration, pa.ArrowInvalid):
        return None
    except OSError as err:
        if err.errno is not None:  # the disk fails; Arrow gives no number where a message is too short
            raise
        return None
