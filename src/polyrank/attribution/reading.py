"""Reads the files of a join."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.evaluation.options import EvaluationOptions
from polyrank.evaluation.reading import keys_of
from polyrank.files import Wanted, check_columns, scan, unified
from polyrank.schema import Schema

from .happened import EVENT, TASK, Happened, HappenedReader
from .keys import KeyColumn
from .options import JoinOptions
from .shown import REQUEST, SHOWN_AT, Shown, ShownReader

if TYPE_CHECKING:
    from collections import Counter

    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class JoinKeys:
    """The columns that a join is by, and how files are read for it.

    Attributes:
        item: column of items.
        user: column of users; None where none is known.
        wanted: of files.
    """

    item: str
    user: str | None
    wanted: Wanted


def join_keys(schema: Schema, options: JoinOptions, encoding: str) -> JoinKeys:
    """Choose the columns that a join is by.

    Raises:
        DataError: the schema has no categorical feature of items, and no column of them is named.
    """
    keys = keys_of(schema, EvaluationOptions(user=options.user, item=options.item))
    if keys.item is None:
        raise DataError("schema has no categorical feature of items; name the column of items, --item in the shell")
    named = [keys.item, *([] if keys.user is None else [keys.user])]
    texts = [name for name in named if KeyColumn(name, schema).dtype == "text"]
    text = tuple(dict.fromkeys((*schema.text_columns, REQUEST, TASK, EVENT, *texts)))
    return JoinKeys(keys.item, keys.user, Wanted(text=text, integers=schema.integer_columns, encoding=encoding))


def read_impressions(schema: Schema, path: Path, keys: JoinKeys) -> "tuple[pa.Table, Shown, int]":
    """Read impressions: all their columns, what a join needs to know of them, and how many are repeated.

    Raises:
        DataError: the files cannot be read, hold no row, lack a column, or a value is wrong.
    """
    import pyarrow as pa

    reader, tables, unity = ShownReader(schema, keys.item, keys.user), [], None
    for piece in scan(path, keys.wanted):
        check_columns(piece.file, piece.table.column_names, (SHOWN_AT, keys.item))
        with piece.named():
            reader.add(piece.table)
        tables.append(piece.table)
        unity = unified(path, piece.table.schema, unity)
    if not sum(table.num_rows for table in tables):
        raise DataError(f"{path} holds no row")
    table = pa.concat_tables(tables, promote_options="permissive")
    shown, repeated = reader.finish(lambda places: [repr(row) for row in table.take(pa.array(places)).to_pylist()])
    return table, shown, repeated


def read_outcomes(schema: Schema, path: Path, keys: JoinKeys, time: str) -> "tuple[Happened, Counter[str]]":
    """Read outcomes, and how many there are of tasks that the schema has not.

    Raises:
        DataError: the files cannot be read, lack a column, or a value is wrong.
    """
    reader = HappenedReader(schema, keys.item, keys.user, time)
    for piece in scan(path, keys.wanted):
        names = piece.table.column_names
        check_columns(piece.file, names, (keys.item, time, *([TASK] if len(schema.tasks) > 1 else [])))
        if REQUEST not in names and keys.user not in names:
            which = f"{REQUEST!r} or of users" + ("" if keys.user is None else f", {keys.user!r}")
            raise DataError(f"{piece.file} has no column {which}; outcomes need one or the other")
        with piece.named():
            reader.add(piece.table)
    return reader.finish(), reader.other_tasks
