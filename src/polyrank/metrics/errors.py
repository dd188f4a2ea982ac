"""How far answers are from labels that are numbers."""

import math

import numpy as np
from numpy.typing import NDArray

from .observed import Observed
from .statistics import Sums, ratio

TINY = float(np.finfo(np.float32).tiny)


def rmse(observed: Observed) -> Sums:
    """Root mean squared error, in label units."""
    return _root_mean_square(observed, observed.predicted - observed.labels)


def rmsle(observed: Observed) -> Sums:
    """Root mean squared error of log(1 + label); answers below 0 count as 0."""
    return _root_mean_square(observed, np.log1p(np.maximum(observed.predicted, 0)) - np.log1p(observed.labels))


def mae(observed: Observed) -> Sums:
    """Mean absolute error, in label units."""
    return Sums(observed.weights, [np.abs(observed.predicted - observed.labels)], _mean)


def poisson_deviance(observed: Observed) -> Sums:
    """Mean of 2 (y log(y / mu) - y + mu): twice what the likelihood of a Poisson distribution lacks of the best one.

    McCullagh and Nelder, Generalized Linear Models, 1989, section 2.3. An answer of 0 counts as the least positive
    float32.
    """
    expected, actual = np.maximum(observed.predicted, TINY), observed.labels
    logs = np.log(np.where(actual > 0, actual, expected) / expected)
    return Sums(observed.weights, [2 * (actual * logs - actual + expected)], _mean)


def _root_mean_square(observed: Observed, errors: NDArray[np.float64]) -> Sums:
    return Sums(observed.weights, [errors**2], lambda weight, total: math.sqrt(ratio(total, weight)))


def _mean(weight: float, total: float) -> float:
    return ratio(total, weight)
