"""Rows of a CSV file as a stream."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError
from polyrank.files import PIECE_BYTES, Location, QuoteCheck, empty_as_null, integer_text, merged, open_csv_bytes

from .columns import HashedColumn
from .stream import RowStream


@contextlib.contextmanager
def open_csv(file: Path, columns: Sequence[HashedColumn], name: Location) -> Iterator[RowStream]:
    """Open a CSV file, which messages call `name`."""
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(column_types={column.name: pa.string() for column in columns})
    read = csv.ReadOptions(block_size=PIECE_BYTES)  # Arrow reads some thirty blocks ahead
    parse = csv.ParseOptions(newlines_in_values=True)
    with open_csv_bytes(file) as text, QuoteCheck(file, name) as quotes:
        reader = csv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert)
        batches = ((batch, _as_trained(batch, columns)) for batch in merged(_checked(reader, quotes)))
        try:
            yield RowStream(reader.schema, None, batches)
        except DataError:
            with contextlib.suppress(OSError):  # a damaged file, which is the error already
                quotes.finish()  # rows in a value that does not end may be why
            raise


def _checked(batches: Iterator[Any], quotes: QuoteCheck) -> Iterator[Any]:
    for batch in batches:
        quotes.advance()
        yield batch
    quotes.finish()


def _as_trained(batch: Any, columns: Sequence[HashedColumn]) -> Any:
    """Read hashed columns as training reads them from CSV: empty is null; for integers, null markers and 46.0."""
    for column in columns:
        is_integer = column.dtype == "int64" and column.separator is None
        read = (integer_text if is_integer else empty_as_null)(batch.column(column.name))
        batch = batch.set_column(batch.schema.get_field_index(column.name), column.name, read)
    return batch
