"""What a schema asks of its features, and what it fills in."""

from collections.abc import Iterator, Sequence

import msgspec

from polyrank.errors import SchemaError
from polyrank.features import (
    DEFAULT_EMBEDDING_DIM,
    MAX_BUCKETS,
    MAX_EMBEDDING_DIM,
    MAX_LENGTH,
    BagFeature,
    DenseFeature,
    Feature,
    HashedFeature,
)
from polyrank.features.dense_rules import check_dense, resolved_dense
from polyrank.spelling import suggestion


def resolved_features(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Return features of unique names, checked, with shared and default values filled in.

    Raises:
        SchemaError: a rule is broken; the message holds the TOML path.
    """
    resolved = tuple(_resolve(features, index, feature) for index, feature in enumerate(features))
    for index, feature in enumerate(resolved):
        _check_limits(index, feature)
    return resolved


def _resolve(features: Sequence[Feature], index: int, feature: Feature) -> Feature:
    """Fill in dtype, buckets and dimension: from the shared table's feature, or the default."""
    if isinstance(feature, DenseFeature):
        return resolved_dense(feature)
    if feature.shares is None:
        return _own_table(index, feature)
    path = f"$.features[{index}].shares"
    hashed = {other.name: other for other in features if isinstance(other, HashedFeature)}
    source = hashed.get(feature.shares)
    if source is None:
        names = [name for name in hashed if name != feature.name]
        raise SchemaError(
            f"{path} must name a categorical or bag feature, got {feature.shares!r} (feature {feature.name!r})"
            f"{suggestion(feature.shares, names)}"
        )
    if source.shares is not None:
        raise SchemaError(
            f"{path} must name a feature with a table of its own, got {feature.shares!r}, which shares too"
        )
    own = _own_table(features.index(source), source)
    for field in ("dtype", "num_buckets", "embedding_dim"):
        if getattr(feature, field) not in (None, getattr(own, field)):
            raise SchemaError(
                f"$.features[{index}].{field} must be left out or equal that of {own.name!r}, whose table is shared "
                f"(feature {feature.name!r})"
            )
    return msgspec.structs.replace(
        feature, dtype=own.dtype, num_buckets=own.num_buckets, embedding_dim=own.embedding_dim
    )


def _own_table(index: int, feature: HashedFeature) -> HashedFeature:
    for field in ("dtype", "num_buckets"):
        if getattr(feature, field) is None:
            raise SchemaError(f"$.features[{index}].{field} is missing (feature {feature.name!r})")
    dim = DEFAULT_EMBEDDING_DIM if feature.embedding_dim is None else feature.embedding_dim
    return msgspec.structs.replace(feature, embedding_dim=dim)


def _check_limits(index: int, feature: Feature) -> None:
    for field, low, high, shown in _limits(feature):
        value = getattr(feature, field)
        if not low <= value < high:
            raise SchemaError(
                f"$.features[{index}].{field} must be in [{low}, {shown}), got {value} (feature {feature.name!r})"
            )
    if isinstance(feature, DenseFeature):
        check_dense(f"$.features[{index}]", feature)


def _limits(feature: Feature) -> Iterator[tuple[str, int, int, str]]:
    if isinstance(feature, DenseFeature):
        return
    yield "num_buckets", 1, MAX_BUCKETS, "2**31"
    yield "embedding_dim", 1, MAX_EMBEDDING_DIM + 1, str(MAX_EMBEDDING_DIM + 1)
    if isinstance(feature, BagFeature):
        yield "max_length", 1, MAX_LENGTH + 1, str(MAX_LENGTH + 1)
