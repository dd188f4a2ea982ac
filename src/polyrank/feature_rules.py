"""What a schema asks of its features, and what it fills in."""

import math
from collections.abc import Iterator, Sequence

from polyrank.errors import SchemaError
from polyrank.features import Feature, HashedFeature, NumericFeature
from polyrank.hashed_rules import Limit, check_hashed, hashed_limits, resolve_hashed


def resolved_features(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Return features of unique names, checked, with shared and default values filled in.

    Raises:
        SchemaError: a rule is broken; the message holds the TOML path.
    """
    resolved = tuple(_resolve(features, index, feature) for index, feature in enumerate(features))
    for index, feature in enumerate(resolved):
        _check_limits(index, feature)
        if isinstance(feature, HashedFeature):
            check_hashed(resolved, index, feature)
    return resolved


def _resolve(features: Sequence[Feature], index: int, feature: Feature) -> Feature:
    return resolve_hashed(features, index, feature) if isinstance(feature, HashedFeature) else feature


def _check_limits(index: int, feature: Feature) -> None:
    for field, low, high, shown in _limits(feature):
        value = getattr(feature, field)
        if not low <= value < high:
            raise SchemaError(
                f"$.features[{index}].{field} must be in [{low}, {shown}), got {value} (feature {feature.name!r})"
            )
    if isinstance(feature, NumericFeature):
        _check_numeric(index, feature)


def _limits(feature: Feature) -> Iterator[Limit]:
    if isinstance(feature, HashedFeature):
        yield from hashed_limits(feature)


def _check_numeric(index: int, feature: NumericFeature) -> None:
    if len(set(feature.transform)) != len(feature.transform) or feature.transform == ("standardize", "log1p"):
        raise SchemaError(
            f"$.features[{index}].transform must be log1p, standardize, or both in this order, "
            f"got {list(feature.transform)} (feature {feature.name!r})"
        )
    if feature.mean is not None and not math.isfinite(feature.mean):
        raise SchemaError(f"$.features[{index}].mean must be finite, got {feature.mean} (feature {feature.name!r})")
    if feature.std is not None and not 0.0 < feature.std < math.inf:
        raise SchemaError(
            f"$.features[{index}].std must be above 0 and finite, got {feature.std} (feature {feature.name!r})"
        )
