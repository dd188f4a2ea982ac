"""Puts rows of files into another order, in memory that does not grow with how many there are."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyrank.files import MAX_ROWS, unified

from .matching import Places
from .reading import Impressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

MAX_PARTS = 256
"""Files that rows wait in, each for its part of the order."""

_WHERE = "\0where"


def gathered(
    impressions: Impressions, places: Places, folder: Path | None = None
) -> "Iterator[tuple[slice, pa.Table]]":
    """Yield the rows at these places, in their order, in one table or more of the same columns and types.

    Args:
        impressions: whose rows they are.
        places: int64 [N], each at most once.
        folder: where rows wait until all before them are read; None keeps them in memory, and yields one table.

    Yields:
        the part of `places`, and its rows.

    Raises:
        DataError: files cannot be read, or changed since they were read first.
    """
    import pyarrow as pa

    size = max(1, len(places) if folder is None else max(MAX_ROWS, math.ceil(len(places) / MAX_PARTS)))
    waiting = _InMemory() if folder is None else _InFiles(folder)
    by_place = np.argsort(places, kind="stable")
    schema = None
    for start, piece in impressions.pieces():
        schema = unified(impressions.path, piece.table.schema, schema)
        low, high = np.searchsorted(places, [start, start + piece.table.num_rows], sorter=by_place)
        where = np.sort(by_place[low:high])
        rows = piece.table.take(pa.array(places[where] - start)).append_column(_WHERE, pa.array(where))
        first = np.searchsorted(where, np.arange(0, len(places) + size, size))
        for part in range(len(first) - 1):
            if first[part] < first[part + 1]:
                waiting.put(part, rows.slice(first[part], first[part + 1] - first[part]))
    for begin in range(0, max(1, len(places)), size):
        rows = _alike(waiting.take(begin // size), schema)
        yield slice(begin, begin + rows.num_rows), rows


class _InMemory:
    def __init__(self) -> None:
        self._tables: list[pa.Table] = []

    def put(self, _part: int, rows: "pa.Table") -> None:
        self._tables.append(rows)

    def take(self, _part: int) -> "list[pa.Table]":
        return self._tables


class _InFiles:
    """Tables of any columns in a file for each part: streams of Arrow, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, part: int, rows: "pa.Table") -> None:
        import pyarrow as pa

        with self._file(part).open("ab") as file, pa.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)

    def take(self, part: int) -> "list[pa.Table]":
        import pyarrow as pa

        if not self._file(part).exists():
            return []
        tables, size = [], self._file(part).stat().st_size
        with self._file(part).open("rb") as file:
            while file.tell() < size:
                tables.append(pa.ipc.open_stream(file).read_all())
        self._file(part).unlink()
        return tables

    def _file(self, part: int) -> Path:
        return self._folder / f"waiting-{part}.arrows"


def _alike(tables: "list[pa.Table]", schema: Any) -> "pa.Table":
    """Join tables to one of the columns and types of `schema`, in its order of rows."""
    import pyarrow as pa

    table = pa.concat_tables([schema.empty_table(), *tables], promote_options="permissive")
    if _WHERE in table.column_names:
        order = np.argsort(table[_WHERE].to_numpy(), kind="stable")
        table = table.drop_columns([_WHERE]).take(pa.array(order))
    return table.select(schema.names).cast(schema)
