"""Quotes of a CSV file that never close, and why a file cannot be read: lines and rows that Arrow leaves out."""

import codecs
import contextlib
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from polyrank.errors import DataError
from polyrank.reasons import first_line

from .csv_types import type_reason
from .encoding import DECLARE
from .opening import PIECE_BYTES, open_bytes, open_csv_bytes
from .quotes import OpenQuote, QuoteScanner
from .remote import Location

SHOWN_CHARACTERS = 60


class QuoteCheck:
    """Looks for quotes that never close while Arrow reads the same file; a context manager.

    It reads the file itself, on a thread, and so mostly from memory. A stream that checks what it hands to Arrow would
    read once, but Arrow's threads must not run Python: one that does so while the process ends aborts it.
    """

    def __init__(self, file: Path, name: Location | None = None) -> None:
        """Prepare to check a file, which messages call `name`."""
        self._file = file
        self._name = name or file
        self._pieces = _pieces(file)
        self._scanner = QuoteScanner()
        self._found: OpenQuote | None = None
        self._is_done = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="polyrank-quotes")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._pieces.close()

    def advance(self) -> None:
        """Check the next `PIECE_BYTES` of text, and return before that is done.

        Raises:
            DataError: a quote does not close, in text that is checked by now.
        """
        self._pool.submit(self._scan)
        self._raise_if_found()

    def check_all(self) -> "Future[None]":
        """Begin to check what is left; `finish` waits for it."""
        return self._pool.submit(self._scan_all)

    def finish(self) -> None:
        """Check what is left.

        Raises:
            DataError: a quote does not close; the message names its line.
        """
        self.check_all().result()
        self._raise_if_found()

    def _scan(self) -> None:
        if self._is_done:
            return
        self._is_done = True  # where reading fails, too
        piece = next(self._pieces, None)
        self._found = self._scanner.finish() if piece is None else self._scanner.scan(piece)
        self._is_done = piece is None or self._found is not None

    def _scan_all(self) -> None:
        while not self._is_done:
            self._scan()

    def _raise_if_found(self) -> None:
        if self._found is not None:
            raise DataError(_quote_message(self._file, self._name, self._found))


def csv_reason(file: Path, name: Location, err: Exception) -> str:
    """Return what is wrong with a file that Arrow could not read, and where; messages call it `name`.

    Raises:
        DataError: a quoted value does not end, which may be the cause of what Arrow found.
    """
    try:
        with QuoteCheck(file, name) as check:
            check.finish()
        found = _encoding_reason(file) or type_reason(file, err) or _ragged_reason(file)
    except OSError:  # its bytes cannot be read at all
        found = None
    if found is None and "straddl" in str(err):
        return "a row is larger than the 1 MiB that is sure to be read; shorten it, or give a Parquet file"
    return found or first_line(err)


def _quote_message(file: Path, name: Location, found: OpenQuote) -> str:
    opened = f"{name}: the quote that opens in line {_line(file, found.start):,}"
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
            return f"line {lines:,} is not UTF-8 text; {DECLARE}"
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
    with contextlib.suppress(pa.ArrowException), open_csv_bytes(file) as stream:
        for _ in csv.open_csv(stream, read_options=csv.ReadOptions(use_threads=False), parse_options=parse):
            pass
    if not refused:
        return None
    row = refused[0]
    text = row.text if len(row.text) <= SHOWN_CHARACTERS else row.text[:SHOWN_CHARACTERS] + "…"
    values = f"{row.actual_columns} value{'' if row.actual_columns == 1 else 's'}"
    return f"row {row.number - 1:,} has {values} where the header has {row.expected_columns}: {text!r}"


def _pieces(file: Path) -> Generator[bytes, None, None]:
    with open_bytes(file) as raw:
        while piece := raw.read(PIECE_BYTES):
            yield piece
