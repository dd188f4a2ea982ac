"""Hashed features as groups of slots."""

from collections.abc import Sequence

from polyrank.features import (
    BagFeature,
    CategoricalFeature,
    CrossFeature,
    Feature,
    HashedFeature,
    SequenceFeature,
    SharingFeature,
    TextFeature,
)
from polyrank.table import BagGroup, CategoricalGroup, CrossGroup, Field, Group, NGramGroup


def hashed_group(feature: HashedFeature, features: Sequence[Feature], *, strict: bool = False) -> Group:
    """Return the group that a feature of a resolved schema becomes; `features` are all of the schema.

    `strict` refuses ids of an identity feature that have no row.
    """
    if isinstance(feature, CrossFeature):
        categorical = {other.name: other for other in features if isinstance(other, CategoricalFeature)}
        return CrossGroup(parts=tuple(_field(categorical[name]) for name in feature.features))
    if isinstance(feature, BagFeature):
        return BagGroup(
            field=_field(feature, strict=strict), max_length=feature.max_length, weights=feature.weights_column
        )
    if isinstance(feature, SequenceFeature):
        return BagGroup(field=_field(feature, strict=strict), max_length=feature.max_length)
    if isinstance(feature, TextFeature):
        field = Field(name=feature.name, dtype="text", missing=feature.missing)
        return NGramGroup(field=field, sizes=feature.sizes, max_length=feature.max_length)
    return CategoricalGroup(field=_field(feature, strict=strict))


def _field(feature: SharingFeature, *, strict: bool = False) -> Field:
    assert feature.dtype is not None  # noqa: S101 (a resolved schema always has one; this tells the type checker)
    below = feature.num_buckets if feature.identity and strict else None
    return Field(
        name=feature.name, dtype=feature.dtype, missing=feature.missing, identity=feature.identity, below=below
    )
