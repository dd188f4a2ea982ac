"""JSON Lines: one object a line, whose keys may be missing, or appear late in the file."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from polyrank.arguments import shown
from polyrank.canonical.items import key_of
from polyrank.canonical.reading import new_reading
from polyrank.errors import DataError, RowError

from .encoding import DECLARE
from .opening import open_bytes
from .remote import Location

PIECE_BYTES = 4 * 2**20
_BOM = b"\xef\xbb\xbf"
_FLOAT_LIMIT = 2.0**1000  # float() takes no larger integers than these, or a little more
_DECODER = msgspec.json.Decoder()


def read_json_lines(file: Path, columns: Sequence[str] | None, name: Location) -> Any:
    """Read a file as a table of the keys that occur in it; a key that a line lacks is null there.

    Keys that are not in `columns` are columns of nulls, for what a message lists.

    A column that mixes numbers and text becomes text, each number in its canonical form.

    Raises:
        DataError: a line is no JSON object, or a value has no form as text beside others that are text; the message
            names the line or the row, and the file as `name`.
    """
    import pyarrow as pa

    pieces: dict[str, list[Any]] = {}
    others: dict[str, None] = {}
    sizes: list[int] = []
    for rows in json_rows(file, name):
        keys = dict.fromkeys(key for row in rows for key in row)
        for key in keys:
            if columns is not None and key not in columns:
                others[key] = None
                continue
            held = pieces.setdefault(key, [])
            held.extend(pa.nulls(size) for size in sizes[len(held) :])
            held.append(array_or_list([row.get(key) for row in rows]))
        sizes.append(len(rows))
    for held in pieces.values():
        held.extend(pa.nulls(size) for size in sizes[len(held) :])
    try:
        found = {key: _joined(key, held) for key, held in pieces.items()}
    except DataError as err:
        raise DataError(f"{name}: {err}") from err
    return pa.table(found | {key: pa.nulls(sum(sizes)) for key in others})


def json_rows(file: Path, name: Location) -> Iterator[list[dict[str, Any]]]:
    """Read the rows of a file, a block at a time.

    Raises:
        DataError: a line is no JSON object; the message names it, and the file as `name`.
    """
    first, rest = 1, b""
    with open_bytes(file) as stream:
        while piece := stream.read(PIECE_BYTES):
            text = rest + piece
            if first == 1:
                text = text.removeprefix(_BOM)
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            if end:
                yield _decoded(text[:end], first, name)
                first += text.count(b"\n")
    if rest.strip():
        yield _decoded(rest, first, name)


def _decoded(block: bytes, first: int, name: Location) -> list[dict[str, Any]]:
    lines = block.split(b"\n")
    try:
        rows = _DECODER.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        rows = []
    # An object over several lines, or several in a line, would depend on where a block ends.
    if len(rows) != sum(1 for line in lines if line.strip()) or not all(type(row) is dict for row in rows):
        rows = [_row(line, first + at, name) for at, line in enumerate(lines) if line.strip()]
    return rows


def _row(line: bytes, number: int, name: Location) -> dict[str, Any]:
    """Decode one line with Python's reader: it takes the NaN that Python writes, and says what is wrong."""
    where = f"{name} cannot be read as JSON Lines: line {number:,}"
    try:
        row = json.loads(line.decode())  # of bytes, it would guess the encoding
    except UnicodeDecodeError as err:
        raise DataError(f"{where} is not UTF-8 text; {DECLARE}") from err
    except json.JSONDecodeError as err:
        raise DataError(f"{where} is no JSON: {err.msg[:1].lower()}{err.msg[1:]} at character {err.colno:,}") from err
    except (RecursionError, ValueError) as err:
        raise DataError(f"{where} is no JSON that can be read: {err}") from err
    if not isinstance(row, dict):
        raise DataError(f"{where} holds {type(row).__name__}; one object a line expected")
    return row


def array_or_list(values: list[Any]) -> Any:
    """Return an Arrow array, or the values where no type holds them all."""
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError):
        return values


def _joined(column: str, pieces: list[Any]) -> Any:
    """Join the pieces of a column, as text where no other type holds all of them."""
    import pyarrow as pa

    if all(isinstance(piece, pa.Array) for piece in pieces):
        try:
            tables = [pa.table({column: piece}) for piece in pieces]
            return pa.concat_tables(tables, promote_options="permissive").column(column)
        except pa.ArrowException:
            pass  # 46 and "46" in different pieces
    values = [value for piece in pieces for value in (piece if isinstance(piece, list) else piece.to_pylist())]
    if _are_fractions(values):
        return pa.chunked_array([pa.array([None if value is None else float(value) for value in values], pa.float64())])
    return pa.chunked_array([as_text(column, values)])


def _are_fractions(values: list[Any]) -> bool:
    """Say whether values are numbers, and some no ids: the column is numeric, and may round what floats do not hold."""
    numbers = [value for value in values if value is not None]
    return all(type(value) in (int, float) and abs(value) < _FLOAT_LIMIT for value in numbers) and any(
        value % 1 > 0 for value in numbers
    )


def as_text(column: str, values: list[Any], first: int = 0) -> Any:
    """Return values as an array of text, or of lists of text: what they are under dtype `text`.

    Raises:
        DataError: a value has no form as text, or stands beside lists; rows count from `first`.
    """
    import pyarrow as pa

    how = new_reading("text", (), column)
    texts = [_text(value, first + row, how) for row, value in enumerate(values)]
    has_lists = any(isinstance(text, list) for text in texts)
    for row, text in enumerate(texts):
        if has_lists and isinstance(text, str):
            found = shown(values[row])
            raise RowError(f"column {column!r} holds {found}", first + row, ", beside lists; make it a list")
    return pa.array(texts, pa.list_(pa.string()) if has_lists else pa.string())


def _text(value: Any, row: int, how: Any) -> Any:
    if isinstance(value, list):
        return [_text(item, row, how) for item in value]
    key = key_of(value, row, how)
    return key.decode() if isinstance(key, bytes) else None
