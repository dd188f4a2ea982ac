"""Statistics of features that are numbers, fitted on training rows only and written into the schema."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import dense_layout
from polyrank.features import BucketizedFeature, DenseFeature, Feature, NumericFeature
from polyrank.schema import Schema


def fit_statistics(schema: Schema, dense: NDArray[np.float32]) -> Schema:
    """Return the schema with what the model needs to know of the training rows, for each feature that is a number.

    Args:
        schema: a resolved one.
        dense: float32 [B, D], encoded training rows; NaN is missing and does not count.
    """
    fitted = {columns.feature.name: _fit(columns.feature, dense[:, columns.start]) for columns in dense_layout(schema)}
    features: tuple[Feature, ...] = tuple(fitted.get(feature.name, feature) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


def _fit(feature: DenseFeature, values: NDArray[np.float32]) -> DenseFeature:
    present = values[~np.isnan(values)].astype(np.float64)
    if isinstance(feature, BucketizedFeature):
        return _fit_buckets(feature, present)
    return _fit_numeric(feature, present) if isinstance(feature, NumericFeature) else feature


def _fit_buckets(feature: BucketizedFeature, present: NDArray[np.float64]) -> BucketizedFeature:
    """Fit boundaries at quantiles; fewer where a value fills several buckets, and none below the lowest value."""
    if feature.quantiles is None:
        return feature
    shares = np.arange(1, feature.quantiles) / feature.quantiles
    chosen = np.quantile(present, shares, method="higher") if present.size else present
    boundaries = np.unique(chosen[chosen > present.min(initial=np.inf)])
    return msgspec.structs.replace(feature, boundaries=tuple(boundaries.tolist()))


def _fit_numeric(feature: NumericFeature, present: NDArray[np.float64]) -> NumericFeature:
    if feature.clip is not None:
        present = present.clip(*feature.clip)
    if "log1p" in feature.transform:
        present = np.log1p(present)
    feature = _fit_moments(feature, present)
    if "minmax" in feature.transform:
        feature = _fit_range(feature, present)
    return _fit_quantiles(feature, present) if "quantile" in feature.transform else feature


def _fit_moments(feature: NumericFeature, present: NDArray[np.float64]) -> NumericFeature:
    if present.size == 0:
        return msgspec.structs.replace(feature, mean=0.0, std=1.0)
    # A constant feature carries nothing; dividing by 1 keeps it at 0 instead of blowing up rounding noise.
    std = float(present.std())
    return msgspec.structs.replace(feature, mean=float(present.mean()), std=std if std > _noise(present) else 1.0)


def _fit_range(feature: NumericFeature, present: NDArray[np.float64]) -> NumericFeature:
    if present.size == 0:
        return msgspec.structs.replace(feature, minimum=0.0, maximum=0.0)
    low, high = float(present.min()), float(present.max())
    return msgspec.structs.replace(feature, minimum=low, maximum=high if high - low > _noise(present) else low)


def _fit_quantiles(feature: NumericFeature, present: NDArray[np.float64]) -> NumericFeature:
    """Fit the knots of the map to ranks; values that fill several quantiles are one knot, at the mean of their ranks.

    Knots are values that occur: 32-bit numbers, as exact as those that the model compares them with.
    """
    assert feature.quantiles is not None  # noqa: S101 (a resolved schema always has it; this tells the type checker)
    if present.size == 0:
        return msgspec.structs.replace(feature, knots=(0.0,), levels=(0.5,))
    ranks = np.linspace(0.0, 1.0, feature.quantiles + 1)
    chosen = np.quantile(present, ranks, method="nearest").astype(np.float32)
    knots, inverse, counts = np.unique(chosen, return_inverse=True, return_counts=True)
    levels = np.bincount(inverse, weights=ranks) / counts
    return msgspec.structs.replace(feature, knots=tuple(knots.tolist()), levels=tuple(levels.tolist()))


def _noise(present: NDArray[np.float64]) -> float:
    return 1e-6 * max(1.0, float(np.abs(present).max()))
