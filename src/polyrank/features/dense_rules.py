"""What a schema asks of features that are numbers."""

import itertools
import math
from collections.abc import Sequence

import msgspec
import numpy as np

from polyrank.errors import SchemaError

from .dense import (
    DEFAULT_QUANTILES,
    MAX_DIM,
    MAX_QUANTILES,
    BucketizedFeature,
    DenseFeature,
    NumericFeature,
    VectorFeature,
)
from .hashed import DEFAULT_EMBEDDING_DIM, MAX_EMBEDDING_DIM

STEPS = ("clip", "log1p")
SCALINGS = ("standardize", "minmax", "quantile")


def resolved_dense(feature: DenseFeature) -> DenseFeature:
    """Return the feature with default values filled in."""
    if isinstance(feature, BucketizedFeature):
        dim = DEFAULT_EMBEDDING_DIM if feature.embedding_dim is None else feature.embedding_dim
        return msgspec.structs.replace(feature, embedding_dim=dim)
    if isinstance(feature, NumericFeature) and "quantile" in feature.transform and feature.quantiles is None:
        return msgspec.structs.replace(feature, quantiles=DEFAULT_QUANTILES)
    return feature


def check_dense(path: str, feature: DenseFeature) -> None:
    """Check a resolved feature whose TOML path is `path`.

    Raises:
        SchemaError: a rule is broken; the message holds the TOML path.
    """
    if isinstance(feature, BucketizedFeature):
        _check_buckets(path, feature)
        return
    if isinstance(feature, VectorFeature):
        _check_integer(path, feature, "dim", 1, MAX_DIM)
        if feature.projection is not None:
            _check_integer(path, feature, "projection", 1, MAX_DIM)
        return
    _check_transform(path, feature)
    _check_clip(path, feature)
    _check_statistics(path, feature)
    if feature.quantiles is not None and "quantile" not in feature.transform:
        raise SchemaError(
            f"{path}.quantiles is there, but its transform does not hold quantile (feature {feature.name!r})"
        )
    _check_quantiles(path, feature)


def _check_buckets(path: str, feature: BucketizedFeature) -> None:
    if feature.quantiles is None and not feature.boundaries:
        raise SchemaError(
            f"{path}.boundaries must hold at least one number, or quantiles say how many buckets training fits "
            f"(feature {feature.name!r})"
        )
    boundaries = feature.boundaries or ()
    if len(boundaries) >= MAX_QUANTILES:
        raise SchemaError(
            f"{path}.boundaries must be fewer than {MAX_QUANTILES}, got {len(boundaries)} (feature {feature.name!r})"
        )
    require_ascending(f"{path}.boundaries", boundaries, feature.name)
    _check_quantiles(path, feature)
    _check_integer(path, feature, "embedding_dim", 1, MAX_EMBEDDING_DIM)


def _check_transform(path: str, feature: NumericFeature) -> None:
    order = [name for name in (*STEPS, *SCALINGS) if name in feature.transform]
    if list(feature.transform) != order or sum(name in SCALINGS for name in order) > 1:
        raise SchemaError(
            f"{path}.transform must be clip, log1p and one of {', '.join(SCALINGS)}, each optional and in this order, "
            f"got {list(feature.transform)} (feature {feature.name!r})"
        )
    if "log1p" in order and "quantile" in order:
        raise SchemaError(
            f"{path}.transform must not hold log1p beside quantile, which ranks numbers whatever their scale, "
            f"got {order} (feature {feature.name!r})"
        )


def _check_clip(path: str, feature: NumericFeature) -> None:
    if (feature.clip is not None) != ("clip" in feature.transform):
        given = "missing" if feature.clip is None else "there, but its transform does not hold clip"
        raise SchemaError(f"{path}.clip = [low, high] is {given} (feature {feature.name!r})")
    if feature.clip is None:
        return
    low, high = feature.clip
    if not (_is_finite(low) and _is_finite(high) and low < high):
        raise SchemaError(
            f"{path}.clip must be two finite 32-bit numbers, the lower first, got {[low, high]} "
            f"(feature {feature.name!r})"
        )
    if low < 0.0 and "log1p" in feature.transform:
        raise SchemaError(f"{path}.clip[0] must be 0 or above before log1p, got {low} (feature {feature.name!r})")


def _check_quantiles(path: str, feature: NumericFeature | BucketizedFeature) -> None:
    if feature.quantiles is not None:
        _check_integer(path, feature, "quantiles", 2, MAX_QUANTILES)


def _check_integer(path: str, feature: DenseFeature, field: str, low: int, high: int) -> None:
    value = getattr(feature, field)
    if not low <= value <= high:
        raise SchemaError(f"{path}.{field} must be in [{low}, {high}], got {value} (feature {feature.name!r})")


def _check_statistics(path: str, feature: NumericFeature) -> None:
    for field in ("mean", "minimum", "maximum"):
        value = getattr(feature, field)
        if value is not None and not math.isfinite(value):
            raise SchemaError(f"{path}.{field} must be finite, got {value} (feature {feature.name!r})")
    if feature.std is not None and not 0.0 < feature.std < math.inf:
        raise SchemaError(f"{path}.std must be above 0 and finite, got {feature.std} (feature {feature.name!r})")
    if feature.minimum is not None and feature.maximum is not None and feature.minimum > feature.maximum:
        raise SchemaError(f"{path}.maximum must not be below minimum, got {feature.maximum} (feature {feature.name!r})")
    _check_knots(path, feature)


def _check_knots(path: str, feature: NumericFeature) -> None:
    knots, levels = feature.knots or (), feature.levels or ()
    require_ascending(f"{path}.knots", knots, feature.name)
    if len(levels) != len(knots) or list(levels) != sorted(levels) or not all(0.0 <= level <= 1.0 for level in levels):
        raise SchemaError(
            f"{path}.levels must be as many numbers in [0, 1] as there are knots, ascending (feature {feature.name!r})"
        )


def require_ascending(path: str, values: Sequence[float], name: str) -> None:
    """Refuse numbers that are not finite and ascending as the 32-bit numbers that the model compares."""
    for index, value in enumerate(values):
        if not _is_finite(value):
            raise SchemaError(f"{path}[{index}] must be a finite 32-bit number, got {value} (feature {name!r})")
    for index, (before, after) in enumerate(itertools.pairwise(values)):
        if not np.float32(before) < np.float32(after):
            raise SchemaError(
                f"{path}[{index + 1}] must be above the one before it as a 32-bit number, got {after} after {before} "
                f"(feature {name!r})"
            )


def _is_finite(value: float) -> bool:
    return abs(value) <= float(np.finfo(np.float32).max)
