"""What a schema asks of features that are hashed, and what it fills in."""

from collections.abc import Iterator, Sequence

import msgspec

from polyrank.errors import SchemaError
from polyrank.features import (
    DEFAULT_EMBEDDING_DIM,
    MAX_BUCKETS,
    MAX_EMBEDDING_DIM,
    MAX_LENGTH,
    BagFeature,
    CategoricalFeature,
    CrossFeature,
    Feature,
    HashedFeature,
    PooledFeature,
    SequenceFeature,
    SharingFeature,
    TextFeature,
)
from polyrank.spelling import suggestion

MAX_NGRAM_SIZE = 10

Limit = tuple[str, int, int, str]
"""A field, its limits as in a range, and how the upper one is written."""


def resolve_hashed(features: Sequence[Feature], index: int, feature: HashedFeature) -> HashedFeature:
    """Fill in dtype, buckets and dimension, from the shared table's feature or the default, and a sequence's target."""
    if isinstance(feature, SequenceFeature) and feature.pooling == "attention" and feature.target is None:
        feature = msgspec.structs.replace(feature, target=feature.shares)
    if not isinstance(feature, SharingFeature) or feature.shares is None:
        return _own_table(index, feature)
    path = f"$.features[{index}].shares"
    owners = {other.name: other for other in features if isinstance(other, SharingFeature)}
    source = owners.get(feature.shares)
    if source is None:
        names = [name for name in owners if name != feature.name]
        raise SchemaError(
            f"{path} must name a categorical, bag or sequence feature, got {feature.shares!r} "
            f"(feature {feature.name!r}){suggestion(feature.shares, names)}"
        )
    if source.shares is not None:
        raise SchemaError(
            f"{path} must name a feature with a table of its own, got {feature.shares!r}, which shares too"
        )
    own = _own_table(features.index(source), source)
    assert isinstance(own, SharingFeature)  # noqa: S101 (what `source` is; this tells the type checker)
    fields = ("dtype", "num_buckets", "embedding_dim")
    for field in fields:
        if getattr(feature, field) not in (None, getattr(own, field)):
            raise SchemaError(
                f"$.features[{index}].{field} must be left out or equal that of {own.name!r}, whose table is shared "
                f"(feature {feature.name!r})"
            )
    if feature.identity and not own.identity:
        raise SchemaError(
            f"$.features[{index}].identity must be left out or equal that of {own.name!r}, whose table is shared "
            f"(feature {feature.name!r})"
        )
    return msgspec.structs.replace(feature, **{field: getattr(own, field) for field in (*fields, "identity")})


def hashed_limits(feature: HashedFeature) -> Iterator[Limit]:
    """Yield the limits of a resolved feature's numbers."""
    yield "num_buckets", 1, MAX_BUCKETS, "2**31"
    yield "embedding_dim", 1, MAX_EMBEDDING_DIM + 1, str(MAX_EMBEDDING_DIM + 1)
    if isinstance(feature, PooledFeature):
        yield "max_length", 1, MAX_LENGTH + 1, str(MAX_LENGTH + 1)


def check_hashed(features: Sequence[Feature], index: int, feature: HashedFeature) -> None:
    """Check what a resolved feature says of other features."""
    if isinstance(feature, CrossFeature):
        _check_cross(features, index, feature)
    if isinstance(feature, TextFeature):
        _check_text(index, feature)
    if isinstance(feature, BagFeature):
        _check_bag(features, index, feature)
    if isinstance(feature, SequenceFeature):
        _check_target(features, index, feature)


def _own_table(index: int, feature: HashedFeature) -> HashedFeature:
    if isinstance(feature, SharingFeature) and feature.identity:
        if feature.dtype == "text":
            raise SchemaError(
                f"$.features[{index}].dtype must be left out or \"int64\" with identity, got 'text' "
                f"(feature {feature.name!r})"
            )
        feature = msgspec.structs.replace(feature, dtype="int64")
    for field in ("dtype", "num_buckets"):
        if getattr(feature, field, "") is None:
            raise SchemaError(f"$.features[{index}].{field} is missing (feature {feature.name!r})")
    dim = DEFAULT_EMBEDDING_DIM if feature.embedding_dim is None else feature.embedding_dim
    return msgspec.structs.replace(feature, embedding_dim=dim)


def _check_cross(features: Sequence[Feature], index: int, feature: CrossFeature) -> None:
    path = f"$.features[{index}].features"
    if len(feature.features) < 2:  # noqa: PLR2004 (a cross of one is no cross)
        raise SchemaError(
            f"{path} must name at least two categorical features, got {list(feature.features)} "
            f"(feature {feature.name!r})"
        )
    names = [other.name for other in features if isinstance(other, CategoricalFeature)]
    for place, name in enumerate(feature.features):
        if name not in names:
            raise SchemaError(
                f"{path}[{place}] must name a categorical feature, got {name!r} (feature {feature.name!r})"
                f"{suggestion(name, names)}"
            )


def _check_text(index: int, feature: TextFeature) -> None:
    path = f"$.features[{index}].sizes"
    if not feature.sizes or len(set(feature.sizes)) < len(feature.sizes):
        raise SchemaError(
            f"{path} must list one or more sizes of n-grams, each once, got {list(feature.sizes)} "
            f"(feature {feature.name!r})"
        )
    for place, size in enumerate(feature.sizes):
        if not 1 <= size <= MAX_NGRAM_SIZE:
            raise SchemaError(
                f"{path}[{place}] must be in [1, {MAX_NGRAM_SIZE}], got {size} (feature {feature.name!r})"
            )


def _check_bag(features: Sequence[Feature], index: int, feature: BagFeature) -> None:
    taken = [other.name for other in features]
    for key, wrong, rule in (
        ("weights", feature.weights in ("", *taken), "must name a column that is no feature"),
        ("weights", feature.weights is not None and feature.separator is not None, "must be left out with separator"),
        ("separator", feature.separator == "", "must not be empty"),
        ("weight_separator", feature.weight_separator in ("", feature.separator), "must be text unlike separator"),
        ("weight_separator", feature.separator is None, "needs separator beside it"),
    ):
        value = getattr(feature, key)
        if value is not None and wrong:
            raise SchemaError(f"$.features[{index}].{key} {rule}, got {value!r} (feature {feature.name!r})")
    if feature.num_weights > 0 and feature.pooling == "max":
        raise SchemaError(
            f"$.features[{index}].pooling must be sum, mean or sqrtn with weights, got 'max' (feature {feature.name!r})"
        )
    if feature.weight_separator is not None and feature.weights_column in taken:
        raise SchemaError(
            f"$.features[{index}].name makes a column {feature.weights_column!r}, which is a feature too; rename one"
        )


def _check_target(features: Sequence[Feature], index: int, feature: SequenceFeature) -> None:
    path = f"$.features[{index}].target"
    if feature.pooling != "attention":
        if feature.target is not None:
            raise SchemaError(
                f'{path} must be left out unless pooling is "attention", got {feature.target!r} '
                f"(feature {feature.name!r})"
            )
        return
    of_table = [f.name for f in features if isinstance(f, CategoricalFeature) and f.table == feature.table]
    if feature.target not in of_table:
        got = "none" if feature.target is None else repr(feature.target)
        raise SchemaError(
            f"{path} must name a categorical feature whose table the sequence shares, got {got} "
            f"(feature {feature.name!r}){suggestion(feature.target or '', of_table)}"
        )
