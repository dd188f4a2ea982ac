"""Rows of a Parquet or CSV file as a stream of record batches, in memory that does not grow with the file."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError
from polyrank.files import PIECE_BYTES, SUFFIXES, QuoteCheck, check_columns, readable

from .columns import HashedColumn

MAX_ROWS = 131_072
MAX_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True, slots=True)
class RowStream:
    """Rows of a file.

    Attributes:
        schema: Arrow schema of the batches.
        num_rows: how many there are, None where only reading tells.
        batches: pairs of record batches: the rows to keep, and the same rows to hash.
    """

    schema: Any
    num_rows: int | None
    batches: Iterator[tuple[Any, Any]]


@contextlib.contextmanager
def open_rows(file: Path, columns: Sequence[HashedColumn]) -> Iterator[RowStream]:
    """Open a file whose `columns` are to be hashed.

    Raises:
        DataError: the file is absent, damaged, or of another kind, or lacks one of the columns or holds it twice; while
            iterating, that a batch is damaged.
    """
    _check_kind(file)
    with contextlib.ExitStack() as stack:
        with readable(file):
            is_parquet = file.name.endswith(".parquet")
            stream = stack.enter_context(_open_parquet(file) if is_parquet else _open_csv(file, columns))
            present = stream.schema.names
        check_columns(file, present, [column.name for column in columns])
        yield dataclasses.replace(stream, batches=_guarded(file, stream.batches))


def _check_kind(file: Path) -> None:
    if file.is_dir():
        raise DataError(f"{file} is a directory; give one Parquet or CSV file")
    if not file.name.endswith(SUFFIXES):
        raise DataError(f"{file} must end in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise DataError(f"{file} {'is no file' if file.exists() else 'does not exist'}; give a Parquet or CSV file")


@contextlib.contextmanager
def _open_parquet(file: Path) -> Iterator[RowStream]:
    import pyarrow.parquet as pq

    # Buffered reading takes a megabyte of each column at a time, where the default takes a row group.
    with pq.ParquetFile(file, buffer_size=2**20) as parquet:
        batches = parquet.iter_batches(batch_size=_batch_rows(parquet.metadata))
        pairs = ((batch, batch) for batch in batches)
        yield RowStream(parquet.schema_arrow, parquet.metadata.num_rows, pairs)


def _batch_rows(metadata: Any) -> int:
    """Return how many rows take about `MAX_BYTES`, by the row group with the largest rows."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1024, min(MAX_ROWS, int(MAX_BYTES / max(row_bytes, 1.0))))


@contextlib.contextmanager
def _open_csv(file: Path, columns: Sequence[HashedColumn]) -> Iterator[RowStream]:
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(column_types={column.name: pa.string() for column in columns})
    read = csv.ReadOptions(block_size=PIECE_BYTES)  # Arrow reads some thirty blocks ahead
    parse = csv.ParseOptions(newlines_in_values=True)
    with pa.input_stream(file, compression="detect") as text, QuoteCheck(file) as quotes:
        reader = csv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert)
        integers = [column.name for column in columns if column.dtype == "int64" and column.separator is None]
        batches = (
            (batch, _with_numbers(batch, integers, convert.null_values)) for batch in _merged(_checked(reader, quotes))
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


def _merged(batches: Iterator[Any]) -> Iterator[Any]:
    """Join batches as small as blocks are: each batch becomes a row group of the output."""
    import pyarrow as pa

    some: list[Any] = []
    for batch in batches:
        some.append(batch)
        if sum(part.num_rows for part in some) >= MAX_ROWS or sum(part.nbytes for part in some) >= MAX_BYTES:
            yield from pa.Table.from_batches(some).combine_chunks().to_batches()
            some = []
    if some:
        yield from pa.Table.from_batches(some).combine_chunks().to_batches()


def _with_numbers(batch: Any, names: Sequence[str], null_values: Sequence[str]) -> Any:
    """Read the columns of dtype `int64` as training reads them from CSV: null markers, and 46.0 beside 46."""
    for name in names:
        batch = batch.set_column(batch.schema.get_field_index(name), name, _numbers(batch.column(name), null_values))
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


def _guarded(file: Path, batches: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    while True:
        with readable(file):
            pair = next(batches, None)
        if pair is None:
            return
        yield pair
