"""Which columns of users and items the impressions of a version have."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polyrank.errors import SchemaError
from polyrank.impressions import RESERVED
from polyrank.serving.items import own_columns

from .arrays import column_types

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.serving.items import Items
    from polyrank.serving.served import Served


_MOST_KNOWN = 100


class Layout:
    """The columns of impressions of one version, asked with one kind of user and item.

    Attributes:
        user: names of columns out of the user's dict.
        items: names of columns of items.
        tasks: tasks with one answer.

    Raises:
        SchemaError: one of the columns has the name of one of the log's own.
    """

    def __init__(self, served: "Served", row: Mapping[str, Any], key: str | None, *, has_items: bool) -> None:
        schema = served.signature.schema
        features = own_columns(schema, served.mixed_crosses)
        wanted = (*schema.feature_columns, *(name for name in (schema.group,) if name is not None and name in row))
        self.user = tuple(name for name in dict.fromkeys(wanted) if name not in features and name != key)
        named = (*features, key) if has_items else (key,)
        self.items = tuple(dict.fromkeys(name for name in named if name is not None))
        self.tasks, self._schema = served.weighted, schema
        for name in (*self.user, *self.items):
            if name in RESERVED:
                raise SchemaError(
                    f"model {served.model!r} cannot be logged: its column {name!r} has the name of one of the log's "
                    "own; rename it in the schema and in the tables of items"
                )

    @functools.cached_property
    def types(self) -> "dict[str, pa.DataType]":
        """The type of each column of features, as values that are no Arrow columns take it."""
        return column_types(self._schema)

    @functools.cached_property
    def item_types(self) -> "tuple[tuple[str, pa.DataType | None], ...]":
        """Names of columns of items, each with its type as in `types`; None of one that is no feature."""
        return tuple((name, self.types.get(name)) for name in self.items)


class Layouts:
    """The layouts that were needed so far."""

    def __init__(self, *, has_items: bool) -> None:
        self._has_items = has_items
        self._known: dict[tuple[object, ...], Layout] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def of(self, items: "Items", row: Mapping[str, Any]) -> Layout:
        """Return that of impressions of these items, as their server's model takes them.

        Raises:
            SchemaError: as `Layout`.
        """
        served = items.served
        place = served.model, served.version, served.wire, items.key, served.signature.schema.group in row
        found = self._known.get(place)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[place] = Layout(served, row, items.key, has_items=self._has_items)
        return found
