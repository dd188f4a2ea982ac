"""A request has two halves: the user with the context, which are the same for all its items, and each item."""

import dataclasses

from polyrank.encoder import DenseColumns, Slots, dense_layout, slot_layout
from polyrank.features import CrossFeature
from polyrank.schema import Schema, columns_for


@dataclasses.dataclass(frozen=True)
class Half:
    """Where the features of one half lie in tensors of their own, and in those of whole rows.

    Attributes:
        slots: layout of its `ids`, int64 (B, S'), and `weights`, float32 (B, W').
        dense: layout of its `dense`, float32 (B, D').
        id_columns: S' columns of `ids` (B, S) that it takes.
        weight_columns: W' columns of `weights` (B, W).
        dense_columns: D' columns of `dense` (B, D).
    """

    slots: tuple[Slots, ...]
    dense: tuple[DenseColumns, ...]
    id_columns: tuple[int, ...]
    weight_columns: tuple[int, ...]
    dense_columns: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no feature is of this half."""
        return not (self.slots or self.dense)


def halves_of(schema: Schema) -> tuple[Half, Half]:
    """Split the features of a resolved schema: those of users and context, and those of items."""
    items = item_features(schema)
    return _half(schema, {feature.name for feature in schema.features} - items), _half(schema, items)


def item_features(schema: Schema) -> set[str]:
    """Name the features of the items' half of a resolved schema: a cross is there where one of its parts is."""
    items = {feature.name for feature in schema.features if feature.side == "item"}
    crosses = (feature for feature in schema.features if isinstance(feature, CrossFeature))
    return items | {cross.name for cross in crosses if items.intersection(cross.features)}


def columns_of_halves(schema: Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of features of users and context, and those of items; a cross reads those of its parts."""
    items = item_features(schema)
    plain = [feature for feature in schema.features if not isinstance(feature, CrossFeature)]
    users = columns_for([feature for feature in plain if feature.name not in items])
    return users, columns_for([feature for feature in plain if feature.name in items])


def _half(schema: Schema, names: set[str]) -> Half:
    ids: list[int] = []
    weights: list[int] = []
    numbers: list[int] = []
    for place in slot_layout(schema):
        if place.feature.name in names:
            ids += range(place.start, place.stop)
            if place.first_weight is not None:
                weights += range(place.first_weight, place.first_weight + place.feature.num_weights)
    for columns in dense_layout(schema):
        if columns.feature.name in names:
            numbers += range(columns.start, columns.stop)
    return Half(slot_layout(schema, names), dense_layout(schema, names), tuple(ids), tuple(weights), tuple(numbers))
