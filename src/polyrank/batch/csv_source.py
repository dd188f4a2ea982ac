"""Rows of a CSV file as a stream."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError
from polyrank.files import PIECE_BYTES, QuoteCheck, empty_as_null

from .columns import HashedColumn
from .stream import RowStream, merged


@contextlib.contextmanager
def open_csv(file: Path, columns: Sequence[HashedColumn], name: Path) -> Iterator[RowStream]:
    """Open a CSV file, which messages call `name`."""
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(column_types={column.name: pa.string() for column in columns})
    read = csv.ReadOptions(block_size=PIECE_BYTES)  # Arrow reads some thirty blocks ahead
    parse = csv.ParseOptions(newlines_in_values=True)
    with pa.input_stream(file, compression="detect") as text, QuoteCheck(file, name) as quotes:
        reader = csv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert)
        batches = (
            (batch, _as_trained(batch, columns, convert.null_values)) for batch in merged(_checked(reader, quotes))
        )
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


def _as_trained(batch: Any, columns: Sequence[HashedColumn], null_values: Sequence[str]) -> Any:
    """Read hashed columns as training reads them from CSV: empty is null; for integers, null markers and 46.0."""
    for column in columns:
        text = empty_as_null(batch.column(column.name))
        is_number = column.dtype == "int64" and column.separator is None
        read = _numbers(text, null_values) if is_number else text
        batch = batch.set_column(batch.schema.get_field_index(column.name), column.name, read)
    return batch


def _numbers(text: Any, null_values: Sequence[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    present = pc.replace_with_mask(text, pc.is_in(text, pa.array(null_values)), pa.scalar(None, pa.string()))
    if pc.all(pc.match_substring_regex(present, pattern=r"\A-?[0-9]+\z")).as_py() is not False:
        return present
    try:
        return present.cast(pa.float64())
    except pa.ArrowInvalid:
        return present
