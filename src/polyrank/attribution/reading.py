"""Reads the files of a join."""

import dataclasses
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.evaluation.keys import keys_of
from polyrank.files import Location, Progress, Wanted, check_columns, heads, scan
from polyrank.impressions import RANK, REQUEST_ID, SHOWN_AT
from polyrank.schema import Schema

from .happened import EVENT, TASK, Happened, HappenedReader
from .keys import KeyColumn
from .matching import Places
from .options import JoinOptions
from .shown import Shown, ShownReader

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from polyrank.files import Piece


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
    keys = keys_of(schema, user=options.user, item=options.item)
    if keys.item is None:
        raise DataError("schema has no categorical feature of items; name the column of items, --item in the shell")
    named = [keys.item, *([] if keys.user is None else [keys.user])]
    texts = [name for name in named if KeyColumn(name, schema).dtype == "text"]
    text = tuple(dict.fromkeys((*schema.text_columns, REQUEST_ID, TASK, EVENT, *texts)))
    return JoinKeys(keys.item, keys.user, Wanted(text=text, integers=schema.integer_columns, encoding=encoding))


class Impressions:
    """Files of impressions, which are read twice: first what a join needs to know, then all their columns.

    A file that appears in between is left alone.

    Attributes:
        path: of the files.
        columns: all that one of them has.
    """

    def __init__(self, schema: Schema, path: Location, keys: JoinKeys) -> None:
        self.path, self._schema, self._keys = path, schema, keys
        self._starts: dict[Location, int] = {}
        self._rows = 0
        present = [set(piece.table.column_names) for piece in heads(path, keys.wanted)]
        self.columns = set().union(*present)
        self._common = set(self.columns).intersection(*present)

    def read(self, progress: Progress) -> tuple[Shown, int]:
        """Return impressions in their order, and how many repeated ones are left out.

        Raises:
            DataError: the files cannot be read, hold no row, lack a column, or a value is wrong.
        """
        reader = ShownReader(self._schema, self._keys.item, self._keys.user)
        names = [SHOWN_AT, self._keys.item, REQUEST_ID, RANK, *([] if self._keys.user is None else [self._keys.user])]
        found = [name for name in dict.fromkeys(names) if name in self.columns]
        # A column that some files lack is null in their rows, which a reader of certain columns refuses.
        wanted = dataclasses.replace(self._keys.wanted, columns=found if self._common.issuperset(found) else None)
        for piece in scan(self.path, wanted):
            check_columns(piece.file, piece.table.column_names, (SHOWN_AT, self._keys.item))
            with piece.named():
                reader.add(piece.table)
            self._starts.setdefault(piece.file, self._rows)
            self._rows += piece.table.num_rows
            progress(self._rows, None)
        if not self._rows:
            raise DataError(f"{self.path} holds no row")
        return reader.finish(self._texts)

    def pieces(self) -> "Iterator[tuple[int, Piece]]":
        """Yield rows with all their columns, each piece with the place of its first row among all.

        Raises:
            DataError: a file is not what it was when it was read first.
        """
        rows = 0
        for piece in scan(self.path, self._keys.wanted):
            if piece.file in self._starts:
                rows += piece.table.num_rows
                yield self._starts[piece.file] + piece.first_row, piece
        if rows != self._rows:
            raise DataError(f"{self.path} changed while it was read; join again")

    def _texts(self, places: Places) -> "Sequence[str]":
        """Return rows as text, which is rarely asked for."""
        found: dict[int, str] = {}
        for start, piece in self.pieces():
            within = places[(places >= start) & (places < start + piece.table.num_rows)]
            rows = piece.table.take(within - start).to_pylist()
            found |= {place: repr(sorted(row.items())) for place, row in zip(within.tolist(), rows, strict=True)}
        return [found[place] for place in places.tolist()]


def read_outcomes(schema: Schema, path: Location, keys: JoinKeys, time: str) -> "tuple[Happened, Counter[str]]":
    """Read outcomes, and how many there are of tasks that the schema has not.

    Raises:
        DataError: the files cannot be read, lack a column, or a value is wrong.
    """
    reader = HappenedReader(schema, keys.item, keys.user, time)
    for piece in scan(path, keys.wanted):
        names = piece.table.column_names
        check_columns(piece.file, names, (keys.item, time, *([TASK] if len(schema.tasks) > 1 else [])))
        if REQUEST_ID not in names and keys.user not in names:
            which = f"{REQUEST_ID!r} or of users" + ("" if keys.user is None else f", {keys.user!r}")
            raise DataError(f"{piece.file} has no column {which}; outcomes need one or the other")
        with piece.named():
            reader.add(piece.table)
    return reader.finish(), reader.other_tasks
