"""Arrow IPC files, as Feather 2 is too: memory-mapped, so that what is not compressed is not copied."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_FILE_MAGIC = b"ARROW1"


@contextlib.contextmanager
def open_arrow_file(file: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Open a file or a stream of record batches: its schema, and the batches, each checked to be what it claims.

    Of `columns`, batches hold those that are there; others are left alone, and not checked.
    """
    with _reader(file) as (reader, is_file):
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches)) if is_file else iter(reader)
        yield reader.schema, (_checked(_chosen(batch, columns)) for batch in batches)


def read_arrow_file(file: Path, columns: Sequence[str] | None) -> Any:
    """Read a file or a stream as a table of `columns`; others are left alone, and not checked."""
    with _reader(file) as (reader, _):
        return _checked(_chosen(reader.read_all(), columns))


def _chosen(rows: Any, columns: Sequence[str] | None) -> Any:
    return (
        rows if columns is None else rows.select([at for at, name in enumerate(rows.schema.names) if name in columns])
    )


@contextlib.contextmanager
def _reader(file: Path) -> Iterator[tuple[Any, bool]]:
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        is_file = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
        source.seek(0)
        with pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source) as reader:
            yield reader, is_file


def _checked(rows: Any) -> Any:
    rows.validate(full=True)
    return rows
