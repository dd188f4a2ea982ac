"""Columns that may part the rows, kept while rows are read."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from polyrank.canonical.arrow import unpacked
from polyrank.errors import DataError
from polyrank.features import CategoricalFeature
from polyrank.schema import Schema

from .parts import check_parting

MAX_VALUES = 20
MAX_COLUMNS = 10
_SIDES = ("context", "user", "item")


class WatchedColumns:
    """The columns that were asked for, and categorical features of few values, the first of context, users and items.

    A column that nobody asked for is let go of once it has more than `MAX_VALUES` values.
    """

    def __init__(self, schema: Schema, asked: Sequence[str]) -> None:
        plain = [each for each in schema.features if isinstance(each, CategoricalFeature) and each.name not in asked]
        self._asked = tuple(asked)
        self._offered = [each.name for each in sorted(plain, key=lambda each: _SIDES.index(each.side))]
        self._pieces: dict[str, list[pa.Array]] = {name: [] for name in (*asked, *self._offered)}
        self._values: dict[str, set[object]] = {name: set() for name in self._offered}

    def add(self, rows: pa.Table) -> None:
        """Keep the columns of rows.

        Raises:
            ConfigError: a column that was asked for is of a type whose values part no rows.
        """
        for name, pieces in list(self._pieces.items()):
            column = unpacked(rows.column(name)).combine_chunks()
            check_parting(name, column.type)
            if name in self._values and not self._is_of_few(name, column):
                del self._pieces[name]
                continue
            pieces.append(column.dictionary_encode() if _is_text(column.type) else column)

    def _is_of_few(self, name: str, column: pa.Array) -> bool:
        values = pc.unique(column)
        if len(values) <= MAX_VALUES + 1:
            self._values[name].update(values.drop_null().to_pylist())
            return len(self._values[name]) <= MAX_VALUES
        return False

    def columns(self) -> dict[str, pa.ChunkedArray]:
        """Return the columns, those that were asked for first; of the others only such as have two values or more.

        Raises:
            DataError: a column's types in the files have none in common.
        """
        offered = [name for name in self._offered if name in self._pieces and len(self._values[name]) > 1]
        return {name: _joined(name, self._pieces[name]) for name in (*self._asked, *offered[:MAX_COLUMNS])}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _joined(name: str, pieces: Sequence[pa.Array]) -> pa.ChunkedArray:
    kinds = {piece.type for piece in pieces}
    try:
        if len(kinds) == 1:
            return pa.chunked_array(pieces).unify_dictionaries()
        tables = [pa.table({name: piece}) for piece in pieces]
        return pa.concat_tables(tables, promote_options="permissive").column(name)
    except pa.ArrowException as err:
        found = " and ".join(sorted(map(str, kinds)))
        raise DataError(f"column {name!r} holds {found}, which do not go together; write it as one type") from err
