"""The columns that name users and items."""

import dataclasses

from polyrank.features import CategoricalFeature
from polyrank.schema import Schema


@dataclasses.dataclass(frozen=True)
class Keys:
    """The columns that name users and items; None where none does."""

    user: str | None
    item: str | None


def keys_of(schema: Schema, *, user: str | None = None, item: str | None = None) -> Keys:
    """Choose the columns that name users and items.

    Args:
        schema: whose group, or first categorical feature of users, names users, and whose first one of items items.
        user: the column to take for users instead.
        item: likewise for items.
    """
    return Keys(user or schema.group or _first(schema, "user"), item or _first(schema, "item"))


def _first(schema: Schema, side: str) -> str | None:
    found = (each.name for each in schema.features if isinstance(each, CategoricalFeature) and each.side == side)
    return next(found, None)
