"""Temperature and Platt scaling: the slope and shift of logits that make labels most likely."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polyrank.models.calibration import MAX_SLOPE

Numbers = NDArray[np.float64]

BLOCK_VALUES = 2**22
"""So many logits are looked at at once."""

MAX_STEPS = 100
TOLERANCE = 1e-10
"""Of a step, relative to the slope."""


def fit_temperature(logits: NDArray[np.floating], classes: NDArray[np.int64], weights: Numbers) -> float | None:
    """Return one over the temperature: the positive slope of logits at which log-loss is least.

    Newton steps on its derivative, which rises with the slope, within a bracket that they shrink.

    Args:
        logits: [N, C].
        classes: int64 [N], in [0, C).
        weights: float64 [N], above 0.

    Returns:
        None where log-loss is least at no slope in (0, `MAX_SLOPE`].
    """
    low, high, slope = 0.0, MAX_SLOPE, 1.0
    if _derivatives(low, logits, classes, weights)[0] >= 0.0 or _derivatives(high, logits, classes, weights)[0] < 0.0:
        return None
    for _ in range(MAX_STEPS):
        first, second = _derivatives(slope, logits, classes, weights)
        low, high = (slope, high) if first < 0.0 else (low, slope)
        after = slope - first / second if second > 0.0 else low
        after = after if low < after < high else (low + high) / 2
        if abs(after - slope) <= TOLERANCE * slope:
            break
        slope = after
    return after


def _derivatives(
    slope: float, logits: NDArray[np.floating], classes: NDArray[np.int64], weights: Numbers
) -> tuple[float, float]:
    """Return the first two derivatives of the log-loss of `softmax(slope * logits)` by the slope."""
    first = second = 0.0
    for own, chosen, counted in _blocks(logits, classes, weights):
        scaled = slope * own
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        mean = (shares * own).sum(axis=1)
        first += float(counted @ (mean - np.take_along_axis(own, chosen[:, None], axis=1)[:, 0]))
        second += float(counted @ (shares * (own - mean[:, None]) ** 2).sum(axis=1))
    return first, second


def _blocks(
    logits: NDArray[np.floating], classes: NDArray[np.int64], weights: Numbers
) -> Iterator[tuple[Numbers, NDArray[np.int64], Numbers]]:
    size = max(1, BLOCK_VALUES // logits.shape[1])
    for start in range(0, len(logits), size):
        rows = slice(start, start + size)
        yield logits[rows].astype(np.float64), classes[rows], weights[rows]


def fit_platt(
    logits: NDArray[np.floating], positive: NDArray[np.bool_], weights: Numbers
) -> tuple[float, float] | None:
    """Return slope and shift of logits at which log-loss is least, by Newton's method with halved steps.

    Args:
        logits: [N], not all alike.
        positive: bool [N], with both values.
        weights: float64 [N], above 0.

    Returns:
        None where log-loss is least at no slope in (0, `MAX_SLOPE`].
    """
    wide, labels = logits.astype(np.float64), positive.astype(np.float64)
    if wide[positive].min() >= wide[~positive].max():
        return None  # told apart without an error: the best slope is infinite
    mean, deviation = np.average(wide, weights=weights), wide.std()
    rows = np.stack([(wide - mean) / deviation, np.ones(len(wide))])  # (2, N)
    found = np.zeros(2)
    loss = _log_loss(found @ rows, labels, weights)
    for _ in range(MAX_STEPS):
        probability = 1 / (1 + np.exp(-(found @ rows)))
        gradient = rows @ (weights * (probability - labels))
        curvature = (rows * (weights * probability * (1 - probability))) @ rows.T
        step = np.linalg.solve(curvature + 1e-12 * np.trace(curvature) * np.eye(2), gradient)
        size = 1.0
        while size > TOLERANCE and not _log_loss((found - size * step) @ rows, labels, weights) <= loss:
            size /= 2
        found = found - size * step
        loss = _log_loss(found @ rows, labels, weights)
        if np.abs(size * step).max() <= TOLERANCE * max(1.0, float(np.abs(found).max())):
            break
    slope = float(found[0] / deviation)
    return (slope, float(found[1] - slope * mean)) if 0.0 < slope <= MAX_SLOPE else None


def _log_loss(logits: Numbers, labels: Numbers, weights: Numbers) -> float:
    return float(weights @ (np.logaddexp(0.0, logits) - labels * logits))
