"""CSV text on its way to Arrow, and why a file cannot be read, with the lines and rows that Arrow leaves out."""

import codecs
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyrank.errors import DataError

from .quotes import OpenQuote, QuoteScanner

PIECE_BYTES = 2**20
SHOWN_CHARACTERS = 60


@contextlib.contextmanager
def csv_stream(file: Path) -> Iterator[Any]:
    """Yield the text of a CSV file, compressed or not, for Arrow to read.

    Raises:
        DataError: while reading, that a quoted value does not end; the message names its line.
    """
    import pyarrow as pa

    with pa.input_stream(file, compression="detect") as raw:
        yield pa.PythonFile(_Checked(file, raw), mode="r")


class _Checked:
    """A stream that refuses text with a quote that is never closed."""

    closed = False

    def __init__(self, file: Path, raw: Any) -> None:
        self._file = file
        self._raw = raw
        self._scanner = QuoteScanner()

    def read(self, size: int) -> bytes:
        piece: bytes = self._raw.read(size)
        found = self._scanner.scan(piece) if piece else self._scanner.finish()
        if found is not None:
            raise DataError(_quote_message(self._file, found))
        return piece


def csv_reason(file: Path, err: Exception) -> str:
    """Return what is wrong with a file that Arrow could not read, and where.

    Raises:
        DataError: a quoted value does not end, which may be the cause of what Arrow found.
    """
    try:
        with csv_stream(file) as stream:
            while stream.read(PIECE_BYTES):
                pass
        found = _encoding_reason(file) or _ragged_reason(file)
    except OSError:  # its bytes cannot be read at all
        found = None
    if found is None and "straddl" in str(err):
        return "a row is larger than the 1 MiB that is sure to be read; shorten it, or give a Parquet file"
    return found or first_line(err)


def first_line(err: Exception) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return str(err).splitlines()[0] if str(err) else type(err).__name__


def _quote_message(file: Path, found: OpenQuote) -> str:
    opened = f"{file}: the quote that opens in line {_line(file, found.start):,}"
    if found.end is None:
        return f'{opened} is never closed; close it, or write the value in quotes and each quote in it twice ("")'
    return (
        f"{opened} closes inside a value in line {_line(file, found.end):,}; close it before, or write the value in "
        'quotes and each quote in it twice ("")'
    )


def _line(file: Path, position: int) -> int:
    """Return the number of the line that holds a byte of the text."""
    feeds = returns = 0
    for piece in _pieces(file):
        part = piece[:position]
        feeds, returns = feeds + part.count(b"\n"), returns + part.count(b"\r")
        position -= len(part)
        if position == 0:
            break
    return 1 + (feeds or returns)


def _encoding_reason(file: Path) -> str | None:
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    for piece in _pieces(file):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as err:
            lines += piece.count(b"\n", 0, max(err.start - pending, 0))
            return f"line {lines:,} is not UTF-8 text; convert the file, as in iconv --from latin1 --to utf-8"
        lines += piece.count(b"\n")
    return None


def _ragged_reason(file: Path) -> str | None:
    """Read once more, on one thread: only so does Arrow know the number of a row."""
    import pyarrow as pa
    from pyarrow import csv

    refused: list[Any] = []

    def refuse(row: Any) -> str:
        refused.append(row)
        return "error"

    parse = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse)
    with contextlib.suppress(pa.ArrowException), csv_stream(file) as stream:
        for _ in csv.open_csv(stream, read_options=csv.ReadOptions(use_threads=False), parse_options=parse):
            pass
    if not refused:
        return None
    row = refused[0]
    text = row.text if len(row.text) <= SHOWN_CHARACTERS else row.text[:SHOWN_CHARACTERS] + "…"
    values = f"{row.actual_columns} value{'' if row.actual_columns == 1 else 's'}"
    return f"row {row.number - 1:,} has {values} where the header has {row.expected_columns}: {text!r}"


def _pieces(file: Path) -> Iterator[bytes]:
    import pyarrow as pa

    with pa.input_stream(file, compression="detect") as raw:
        while piece := raw.read(PIECE_BYTES):
            yield piece
