"""Files of rows as tables that follow one another, whatever their formats."""

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from polyrank.errors import DataError, RowError
from polyrank.reasons import first_line

from .forms import SUFFIXES, Format, Wanted, format_of
from .listing import list_files
from .part import Part
from .preparing import prepared
from .reading import check_columns, check_name, guarded
from .remote import Location

Progress = Callable[[int, int | None], None]
"""Is told how many rows are done, and of how many where that is known."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a file that follow one another.

    Attributes:
        file: which.
        first_row: how many rows of the file come before.
        table: the rows.
    """

    file: Location
    first_row: int
    table: Any

    @contextlib.contextmanager
    def named(self, start: int = 0) -> Iterator[None]:
        """Name the file in an error of the block, and count its row from the start of the file.

        Args:
            start: of the rows that the block looks at, in the table.
        """
        try:
            yield
        except RowError as err:
            raise DataError(f"{self.file}: {err.after(self.first_row + start)}") from err
        except DataError as err:
            raise DataError(f"{self.file}: {err}") from err


def scan(path: Location, wanted: Wanted) -> Iterator[Piece]:
    """Read the files that `path` stands for, in the order of their names; folders such as `day=1` add columns.

    Tables hold `wanted.columns` in that order, and are about 32 MiB each.

    Raises:
        DataError: nothing to read, a file is damaged or lacks a column, or the files' columns do not fit together.
    """
    import pyarrow as pa

    columns, schema = wanted.columns, None
    for piece in scan_parts(path, wanted, whole=False):
        schema = unified(path, piece.table.schema, schema)
        if columns is None:
            yield piece
            continue
        present = piece.table.column_names
        arrays = [piece.table.column(name) if name in present else pa.nulls(len(piece.table)) for name in columns]
        yield dataclasses.replace(piece, table=pa.table(arrays, names=list(columns)))
    if columns is not None:
        check_present(path, () if schema is None else schema.names, columns)


def ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Yield pieces, each of which is read in a thread while work is done on the one before."""
    with ThreadPoolExecutor(1, "polyrank-reader") as reader:
        waiting = reader.submit(next, pieces, None)
        while (piece := waiting.result()) is not None:
            waiting = reader.submit(next, pieces, None)
            yield piece


def scan_parts(path: Location, wanted: Wanted, *, whole: bool) -> Iterator[Piece]:
    """Read files as `scan` does, each with the columns that it has; `whole` reads one table of each."""
    for pieces in _by_file(path, wanted, whole=whole):
        yield from pieces


def heads(path: Location, wanted: Wanted) -> Iterator[Piece]:
    """Read the first piece of each file that holds a row, with the columns that the file has; see `scan`."""
    for pieces in _by_file(path, wanted, whole=False):
        yield from itertools.islice(pieces, 1)


def _by_file(path: Location, wanted: Wanted, *, whole: bool) -> Iterator[Iterator[Piece]]:
    parts = list_files(path, SUFFIXES)
    types = _partition_types(parts, wanted)
    for part in parts:
        yield _pieces(part, types, wanted, whole=whole)


def _pieces(part: Part, types: dict[str, Any], wanted: Wanted, *, whole: bool) -> Iterator[Piece]:
    first_row = 0
    for table in _tables(part.file, [*types], wanted, whole=whole):
        yield Piece(part.file, first_row, _with_partition(table, part, types))
        first_row += table.num_rows


def unified(path: Location, schema: Any, others: Any) -> Any:
    """Join the Arrow schema of a table with that of those before it.

    Raises:
        DataError: a column's types have none in common.
    """
    import pyarrow as pa

    if others is None or schema.equals(others):
        return schema
    try:
        return pa.unify_schemas([others, schema], promote_options="permissive")
    except pa.ArrowException as err:
        raise DataError(f"the files of {path} do not fit together: {first_line(err)}") from err


def check_present(path: Location, present: Sequence[str], columns: Sequence[str]) -> None:
    """Raise `DataError` where no file has one of `columns`."""
    if not present:
        raise DataError(f"{path} holds no row")
    check_columns(path, present, columns)


def _with_partition(table: Any, part: Part, types: dict[str, Any]) -> Any:
    import pyarrow as pa

    for name, kind in types.items():
        value = part.partition.get(name)
        cell = pa.scalar(None if value is None else int(value) if pa.types.is_integer(kind) else value, kind)
        others = table.select([at for at, present in enumerate(table.column_names) if present != name])
        table = others.append_column(name, pa.repeat(cell, table.num_rows))
    return table


def _tables(file: Location, partitions: Sequence[str], wanted: Wanted, *, whole: bool) -> Iterator[Any]:
    if isinstance(file, Path) and not file.is_file():
        raise DataError(f"{file} is no regular file; give files that can be read twice")
    check_name(file)
    form = format_of(file)
    inside = wanted.columns and [name for name in wanted.columns if name not in partitions]
    own = dataclasses.replace(wanted, columns=inside)
    with prepared(file, wanted.encoding) as text:
        for table in guarded(file, text, _read(form, text, own, file, whole=whole)):
            if inside is None or not form.has_header:
                yield table
                continue
            check_columns(file, table.column_names, inside)
            yield table.select(inside)


def _read(form: Format, text: Location, wanted: Wanted, name: Location, *, whole: bool) -> Iterator[Any]:
    if whole:
        yield form.read(text, wanted, name)
    else:
        yield from form.pieces(text, wanted, name)


def _partition_types(parts: Sequence[Part], wanted: Wanted) -> dict[str, Any]:
    """Return the columns that folders add: int64 where every value is an integer, text otherwise."""
    import pyarrow as pa

    values: dict[str, list[str]] = {}
    for part in parts:
        for name, value in part.partition.items():
            values.setdefault(name, []).extend([] if value is None else [value])
    return {
        name: pa.int64() if name not in wanted.text and all(map(_INTEGER.fullmatch, found)) else pa.string()
        for name, found in values.items()
        if wanted.columns is None or name in wanted.columns
    }
