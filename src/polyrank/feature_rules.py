"""What a schema asks of its features, and what it fills in."""

from collections.abc import Iterator, Sequence

from polyrank.errors import SchemaError
from polyrank.features import DenseFeature, Feature, HashedFeature, NeighborsFeature
from polyrank.features.dense_rules import check_dense, resolved_dense
from polyrank.hashed_rules import Limit, check_hashed, hashed_limits, resolve_hashed
from polyrank.neighbor_rules import resolve_neighbors


def resolved_features(features: Sequence[Feature], binary_tasks: Sequence[str]) -> tuple[Feature, ...]:
    """Return features of unique names, checked, with shared and default values filled in.

    `binary_tasks` are the names of the schema's tasks of that kind.

    Raises:
        SchemaError: a rule is broken; the message holds the TOML path.
    """
    resolved = tuple(_resolve(features, index, feature, binary_tasks) for index, feature in enumerate(features))
    for index, feature in enumerate(resolved):
        _check_limits(index, feature)
        if isinstance(feature, HashedFeature):
            check_hashed(resolved, index, feature)
    return resolved


def _resolve(features: Sequence[Feature], index: int, feature: Feature, binary_tasks: Sequence[str]) -> Feature:
    if isinstance(feature, NeighborsFeature):
        return resolve_neighbors(features, f"$.features[{index}]", feature, binary_tasks)
    return resolve_hashed(features, index, feature) if isinstance(feature, HashedFeature) else resolved_dense(feature)


def _check_limits(index: int, feature: Feature) -> None:
    for field, low, high, shown in _limits(feature):
        value = getattr(feature, field)
        if not low <= value < high:
            raise SchemaError(
                f"$.features[{index}].{field} must be in [{low}, {shown}), got {value} (feature {feature.name!r})"
            )
    if isinstance(feature, DenseFeature):
        check_dense(f"$.features[{index}]", feature)


def _limits(feature: Feature) -> Iterator[Limit]:
    if isinstance(feature, HashedFeature):
        yield from hashed_limits(feature)
