"""Statistics of features that are numbers, fitted on training rows only and written into the schema."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import DenseColumns, dense_layout
from polyrank.features import BucketizedFeature, DenseFeature, Feature, NumericFeature, VectorFeature
from polyrank.schema import Schema

MAX_SAMPLE_BYTES = 256 * 2**20

FITTED = ("mean", "std", "minimum", "maximum", "knots", "levels")
"""Of a numeric feature; of a bucketized one with quantiles it is its boundaries."""


class NumberSample:
    """Numbers of training rows: all, or a random part of them where they would take more than `MAX_SAMPLE_BYTES`."""

    def __init__(self, schema: Schema, count: int, generator: np.random.Generator) -> None:
        """Prepare to take what is fitted from `count` rows."""
        self._columns = [columns.start for columns in _fitted_layout(schema)]
        self._share = MAX_SAMPLE_BYTES / max(count * len(self._columns) * 4, 1)
        self._generator = generator
        self._parts: list[NDArray[np.float32]] = []

    def add(self, dense: NDArray[np.float32]) -> None:
        """Take from the next rows, float32 [B, D]."""
        part = dense[:, self._columns]
        self._parts.append(part if self._share >= 1 else part[self._generator.random(len(part)) < self._share])

    @property
    def numbers(self) -> NDArray[np.float32]:
        """What was taken, float32 [B, F], a column for each feature that is fitted."""
        return np.concatenate(self._parts)


def fit_statistics(schema: Schema, numbers: NDArray[np.float32]) -> Schema:
    """Return the schema with what the model needs to know of the training rows, for each feature that is a number.

    Args:
        schema: a resolved one.
        numbers: float32 [B, F] of training rows, a column for each numeric or bucketized feature in schema order; NaN
            is missing and does not count.
    """
    layout = _fitted_layout(schema)
    fitted = {columns.feature.name: _fit(columns.feature, numbers[:, at]) for at, columns in enumerate(layout)}
    features: tuple[Feature, ...] = tuple(fitted.get(feature.name, feature) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


def _fitted_layout(schema: Schema) -> list[DenseColumns]:
    return [columns for columns in dense_layout(schema) if not isinstance(columns.feature, VectorFeature)]


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
    """Return how far apart numbers of 32 bits may be, and mean the same."""
    return max(1e-6 * float(np.abs(present).max()), float(np.finfo(np.float32).tiny))
