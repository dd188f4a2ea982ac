"""Columns that are turned into lists before a table is encoded."""

from collections.abc import Mapping

from polyrank.features import BagFeature, HashedFeature
from polyrank.rows import Column
from polyrank.separated import split_lists, split_weighted


def is_prepared(feature: HashedFeature) -> bool:
    """Say whether a feature's column does not go into the table as it is."""
    return isinstance(feature, BagFeature) and feature.separator is not None


def prepared(feature: HashedFeature, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns that take the place of a feature's.

    Raises:
        DataError: a text is no list of values, or of values with weights.
    """
    name, column = feature.name, columns[feature.name]
    if not isinstance(feature, BagFeature) or feature.separator is None:
        return {name: column}
    if feature.weight_separator is None:
        return {name: split_lists(column, name, feature.separator)}
    values, weights = split_weighted(column, name, feature.separator, feature.weight_separator)
    return {name: values, str(feature.weights_column): weights}
