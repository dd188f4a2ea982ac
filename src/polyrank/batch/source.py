"""Rows of a file as a stream of record batches, in memory that does not grow with the file."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError
from polyrank.files import (
    SUFFIXES,
    UTF8,
    Location,
    check_columns,
    check_name,
    format_of,
    guarded,
    json_batches,
    json_schema,
    kinds,
    merged,
    open_arrow_file,
    open_parquet,
    prepared,
    readable,
    slices,
)

from .columns import HashedColumn
from .csv_source import open_csv
from .stream import RowStream


@contextlib.contextmanager
def open_rows(file: Location, columns: Sequence[HashedColumn], encoding: str = UTF8) -> Iterator[RowStream]:
    """Open a file whose `columns` are to be hashed; `encoding` is that of files of text.

    Raises:
        DataError: the file is absent, damaged, or of another kind, or lacks one of the columns or holds it twice; while
            iterating, that a batch is damaged.
    """
    _check_kind(file)
    form = format_of(file)
    with contextlib.ExitStack() as stack:
        text = stack.enter_context(prepared(file, encoding))
        with readable(file, text):
            stream = stack.enter_context(_OPENERS[form.name](text, columns, file))
            present = stream.schema.names
        check_columns(file, present, [column.name for column in columns])
        yield dataclasses.replace(stream, batches=guarded(file, text, stream.batches))


def _check_kind(file: Location) -> None:
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
def _open_parquet(file: Location, _columns: Sequence[HashedColumn], _name: Location) -> Iterator[RowStream]:
    with open_parquet(file) as opened:
        pairs = ((batch, batch) for batch in opened.batches())
        yield RowStream(opened.parquet.schema_arrow, opened.parquet.metadata.num_rows, pairs)


@contextlib.contextmanager
def _open_arrow(file: Path, _columns: Sequence[HashedColumn], _name: Location) -> Iterator[RowStream]:
    with open_arrow_file(file) as (schema, batches):
        pairs = ((part, part) for batch in batches for part in slices(batch))
        yield RowStream(schema, None, pairs)


@contextlib.contextmanager
def _open_json_lines(file: Path, columns: Sequence[HashedColumn], name: Location) -> Iterator[RowStream]:
    """Read twice: the columns are known only when the last line is."""
    schema, num_rows = json_schema(file, name, [column.name for column in columns])
    batches = merged(json_batches(file, name, schema))
    yield RowStream(schema, num_rows, ((batch, batch) for batch in batches))


_OPENERS: dict[str, Callable[[Any, Sequence[HashedColumn], Location], contextlib.AbstractContextManager[RowStream]]] = {
    "Parquet": _open_parquet,
    "CSV": open_csv,
    "JSON Lines": _open_json_lines,
    "Arrow": _open_arrow,
}
