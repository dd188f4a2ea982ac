"""Logs as the page shows them: users with their last features and history, items with their facts."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polyrank.errors import DataError
from polyrank.features import CrossFeature
from polyrank.halves import columns_of_halves
from polyrank.schema import Schema, columns_for
from polyrank.spelling import suggestion
from polyrank.times import Times

from .groups import Groups

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

HISTORY = 20
"""Rows of a user that are shown at most."""

_LISTED = 200
_EXACT = 2**53


@dataclasses.dataclass(frozen=True)
class Shown:
    """A user as the page has it.

    Attributes:
        features: of the user and the context by name, as the last row has them; what the model is asked with.
        rows: how many rows of the logs are the user's.
        history: the newest of them, the newest first.
    """

    features: dict[str, Any]
    rows: int
    history: list[dict[str, Any]]

    def told(self) -> dict[str, Any]:
        """Return the features as the page shows them."""
        return {name: readable(value) for name, value in self.features.items()}


class Logs:
    """Rows of logs by user and by item.

    Args:
        table: rows with the columns of the schema's features; its time and labels are shown where they are there.
        schema: of the served model.
        user: column that names users; None takes the schema's `group`, else its first feature of users.
        item: column that names items; None takes the first feature of items.

    Raises:
        DataError: there is no row, a column is missing, or no feature is of users, or none of items.
    """

    def __init__(self, table: "pa.Table", schema: Schema, *, user: str | None = None, item: str | None = None) -> None:
        self._own, facts = columns_of_halves(schema)
        plain = [feature for feature in schema.features if not isinstance(feature, CrossFeature)]
        named_users = columns_for([feature for feature in plain if feature.side == "user"])
        self.user = _chosen(user or schema.group, named_users, table, "user")
        self.item = _chosen(item, facts, table, "item")
        self._facts = tuple(name for name in facts if name != self.item)
        self._outcomes = tuple(name for name in _labels(schema) if name in table.column_names)
        for name in (*self._own, *facts):
            if name not in table.column_names:
                meant = suggestion(name, table.column_names)
                raise DataError(f"the logs lack column {name!r}, a feature of the model{meant}")
        self._table, self._times = _in_order(table, schema)
        self._users = Groups(self._table[self.user])
        items = Groups(self._table[self.item])
        self.items = self._table.take(items.last).select([self.item, *self._facts])

    def users(self) -> list[dict[str, Any]]:
        """Return the users with the most rows, the most first: id and number of rows of each."""
        sizes = self._users.sizes
        most = np.argsort(-sizes, kind="stable")[:_LISTED]
        return [{"id": self._users.names[place], "rows": int(sizes[place])} for place in most]

    @property
    def num_users(self) -> int:
        """How many users there are."""
        return len(self._users.names)

    def of_user(self, name: str) -> Shown:
        """Return a user.

        Raises:
            DataError: no row is the user's.
        """
        rows = self._users.rows(name)
        if not len(rows):
            raise DataError(f"user must have rows in the logs, got {name!r}; pick one of the list")
        features = self._table.slice(int(rows[-1]), 1).select(list(self._own)).to_pylist()[0]
        newest = rows[::-1][:HISTORY]
        wanted = dict.fromkeys((self.item, *self._facts, *self._outcomes))
        seen = self._table.take(newest).select(list(wanted)).to_pylist()
        return Shown(features, len(rows), [self._event(row, place) for row, place in zip(seen, newest, strict=True)])

    def facts(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is known of items, by their places in `items`."""
        rows = self.items.take(list(places)).to_pylist()
        return [{"item": _name(row[self.item]), "facts": self._told(row, self._facts)} for row in rows]

    def _event(self, row: dict[str, Any], place: np.int64) -> dict[str, Any]:
        return {
            "time": None if self._times is None else _iso(self._times[place]),
            "item": _name(row[self.item]),
            "facts": self._told(row, self._facts),
            "outcomes": self._told(row, self._outcomes),
        }

    @staticmethod
    def _told(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        return {name: readable(row[name]) for name in names}


def readable(value: Any) -> Any:
    """Return a value as JSON and JavaScript hold it: integers that a double does not are text."""
    if isinstance(value, list):
        return [readable(each) for each in value]
    return str(value) if isinstance(value, int) and abs(value) > _EXACT else value


def _name(value: Any) -> str | None:
    return None if value is None else str(value)


def _iso(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="s")).replace("T", " ")


def _labels(schema: Schema) -> tuple[str, ...]:
    return tuple(dict.fromkeys(task.label for task in schema.tasks))


def _chosen(asked: str | None, names: Sequence[str], table: "pa.Table", side: str) -> str:
    """Return the column that names users, or items."""
    if table.num_rows == 0:
        raise DataError("the logs must hold rows, got none")
    if asked is None and not names:
        raise DataError(f'the model has no feature of {side}s; set side = "{side}" in its schema')
    name = asked or names[0]
    if name not in table.column_names:
        meant = suggestion(name, table.column_names)
        raise DataError(f"the logs lack column {name!r}, which names {side}s{meant}; name another: --{side} COLUMN")
    return name


def _in_order(table: "pa.Table", schema: Schema) -> "tuple[pa.Table, NDArray[np.datetime64] | None]":
    """Return the rows, the oldest first, and their times, where the logs have them."""
    if schema.time is None or schema.time not in table.column_names:
        return table.combine_chunks(), None
    numbers = Times(schema).read(table[schema.time])
    order = np.argsort(numbers, kind="stable")
    return table.take(order).combine_chunks(), numbers[order].astype(f"datetime64[{schema.time_unit}]")
