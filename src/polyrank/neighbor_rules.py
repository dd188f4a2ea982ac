"""What a schema asks of a feature of neighbours, and what it fills in."""

from collections.abc import Sequence

import msgspec

from polyrank.errors import SchemaError
from polyrank.features import MAX_NEIGHBORS, CategoricalFeature, Feature, NeighborsFeature
from polyrank.spelling import suggestion


def resolve_neighbors(
    features: Sequence[Feature], path: str, feature: NeighborsFeature, binary_tasks: Sequence[str]
) -> NeighborsFeature:
    """Check a feature whose TOML path is `path`, and fill in its side.

    Raises:
        SchemaError: a rule is broken; the message holds the TOML path.
    """
    categorical = {other.name: other for other in features if isinstance(other, CategoricalFeature)}
    for key, value in (("of", feature.of), ("by", feature.by)):
        _check_name(f"{path}.{key} must name a categorical feature", value, list(categorical), feature)
    if feature.by == feature.of:
        raise SchemaError(f"{path}.by must be another feature than of, got {feature.by!r} (feature {feature.name!r})")
    if feature.task is not None:
        _check_name(f"{path}.task must be left out or name a binary task", feature.task, binary_tasks, feature)
    if not 1 <= feature.k <= MAX_NEIGHBORS:
        raise SchemaError(f"{path}.k must be in [1, {MAX_NEIGHBORS}], got {feature.k} (feature {feature.name!r})")
    side = categorical[feature.of].side
    if feature.side not in (None, side):
        raise SchemaError(
            f"{path}.side must be left out or equal that of {feature.of!r}, whose neighbours they are, "
            f"got {feature.side!r} (feature {feature.name!r})"
        )
    return msgspec.structs.replace(feature, side=side)


def _check_name(rule: str, value: str, known: Sequence[str], feature: NeighborsFeature) -> None:
    if value not in known:
        raise SchemaError(f"{rule}, got {value!r} (feature {feature.name!r}){suggestion(value, known)}")
