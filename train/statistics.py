"""Statistics of numeric features, fitted on training rows only and written into the schema."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.features import Feature, NumericFeature
from polyrank.schema import Schema


def fit_statistics(schema: Schema, dense: NDArray[np.float32]) -> Schema:
    """Return the schema with mean and standard deviation of each numeric feature.

    Args:
        schema: whose numeric features are the columns of `dense`.
        dense: float32 [B, D], raw training rows; NaN is missing and does not count.
    """
    fitted = {
        feature.name: _fit(feature, dense[:, index].astype(np.float64))
        for index, feature in enumerate(schema.numeric_features)
    }
    features: tuple[Feature, ...] = tuple(fitted.get(feature.name, feature) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


def _fit(feature: NumericFeature, values: NDArray[np.float64]) -> NumericFeature:
    present = values[~np.isnan(values)]
    if "log1p" in feature.transform:
        present = np.log1p(present)
    if present.size == 0:
        return msgspec.structs.replace(feature, mean=0.0, std=1.0)
    # A constant feature carries nothing; dividing by 1 keeps it at 0 instead of blowing up rounding noise.
    std = float(present.std())
    tiny = 1e-6 * max(1.0, float(np.abs(present).max()))
    return msgspec.structs.replace(feature, mean=float(present.mean()), std=std if std > tiny else 1.0)
