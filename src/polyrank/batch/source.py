"""Rows of a file as a stream of record batches, in memory that does not grow with the file."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.errors import DataError
from polyrank.files import (
    SUFFIXES,
    UTF8,
    as_utf8,
    check_columns,
    check_name,
    check_text,
    format_of,
    guarded,
    json_batches,
    json_schema,
    kinds,
    merged,
    open_arrow_file,
    parquet_batches,
    readable,
    slices,
)

from .columns import HashedColumn
from .csv_source import open_csv
from .stream import RowStream


@contextlib.contextmanager
def open_rows(file: Path, columns: Sequence[HashedColumn], encoding: str = UTF8) -> Iterator[RowStream]:
    """Open a file whose `columns` are to be hashed; `encoding` is that of files of text.

    Raises:
        DataError: the file is absent, damaged, or of another kind, or lacks one of the columns or holds it twice; while
            iterating, that a batch is damaged.
    """
    _check_kind(file)
    form = format_of(file)
    if form.is_text:
        with readable(file):
            check_text(file, encoding)
    with contextlib.ExitStack() as stack:
        text = stack.enter_context(as_utf8(file, encoding)) if form.is_text else file
        with readable(file, text):
            stream = stack.enter_context(_OPENERS[form.name](text, columns, file))
            present = stream.schema.names
        check_columns(file, present, [column.name for column in columns])
        yield dataclasses.replace(stream, batches=guarded(file, text, stream.batches))


def _check_kind(file: Path) -> None:
    check_name(file)
    if file.is_dir():
        raise DataError(f"{file} is a directory; give one file")
    if not file.name.lower().endswith(SUFFIXES):
        raise DataError(f"{file} must end in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise DataError(
            f"{file} {'is no file' if file.exists() else 'does not exist'}; give a file that ends in {kinds()}"
        )


@contextlib.contextmanager
def _open_parquet(file: Path, _columns: Sequence[HashedColumn], _name: Path) -> Iterator[RowStream]:
    import pyarrow.parquet as pq

    # Buffered reading takes a megabyte of each column at a time, where the default takes a row group.
    with pq.ParquetFile(file, buffer_size=2**20) as parquet:
        pairs = ((batch, batch) for batch in parquet_batches(parquet))
        yield RowStream(parquet.schema_arrow, parquet.metadata.num_rows, pairs)


@contextlib.contextmanager
def _open_arrow(file: Path, _columns: Sequence[HashedColumn], _name: Path) -> Iterator[RowStream]:
    with open_arrow_file(file) as (schema, batches):
        pairs = ((part, part) for batch in batches for part in slices(batch))
        yield RowStream(schema, None, pairs)


@contextlib.contextmanager
def _open_json_lines(file: Path, columns: Sequence[HashedColumn], name: Path) -> Iterator[RowStream]:
    """Read twice: the columns are known only when the last line is."""
    schema, num_rows = json_schema(file, name, [column.name for column in columns])
    batches = merged(json_batches(file, name, schema))
    yield RowStream(schema, num_rows, ((batch, batch) for batch in batches))


_OPENERS = {"Parquet": _open_parquet, "CSV": open_csv, "JSON Lines": _open_json_lines, "Arrow": _open_arrow}
