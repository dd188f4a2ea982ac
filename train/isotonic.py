"""Isotonic calibration: the rising line through the best rising steps."""

import numpy as np
from numpy.typing import NDArray

from polyrank.models.calibration import MAX_KNOTS, MAX_SLOPE

Numbers = NDArray[np.float64]

SMALLEST_SLOPE = 1e-2
"""Of calibrated by raw logits, so that different answers stay different, and AUC with them."""


def fit_isotonic(
    logits: NDArray[np.floating], positive: NDArray[np.bool_], weights: Numbers
) -> tuple[Numbers, Numbers] | None:
    """Fit the probability as a rising function of the logit, and return it as a line of logits.

    Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates, KDD 2002, with
    the steps joined at their centres, as in Oron and Flournoy, Centered Isotonic Regression, Stat. Biopharm. Res. 9,
    2017, which makes them rise within steps too. Neighbours that differ least are joined until `MAX_KNOTS` are left,
    and those between which the line would be steeper than `MAX_SLOPE`.

    Args:
        logits: [N].
        positive: bool [N].
        weights: float64 [N], above 0.

    Returns:
        Knots and values, float64 [K]; None where one step is best.
    """
    steps = _steps(logits, positive, weights / weights.mean())
    while len(steps) > MAX_KNOTS:
        steps = _joined(steps, int(_losses(steps).argmin()))
    slopes = _slopes(steps)
    while slopes.max(initial=0.0) > MAX_SLOPE:
        steps = _joined(steps, int(slopes.argmax()))
        slopes = _slopes(steps)
    if len(steps) == 1:
        return None
    knots, values = _line(steps)
    risen = np.maximum.accumulate(values - SMALLEST_SLOPE * knots) + SMALLEST_SLOPE * knots
    return knots, risen


def _steps(logits: NDArray[np.floating], positive: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """Return the steps of isotonic regression, [K, 3]: centre, weight, share of positives."""
    from scipy.optimize import isotonic_regression

    places, inverse = np.unique(logits, return_inverse=True)
    counts = np.bincount(inverse, weights=weights)
    sums = np.bincount(inverse, weights=weights * positive)
    fitted = isotonic_regression(sums / counts, weights=counts).x
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(fitted) > 0)])
    totals = np.add.reduceat(counts, starts)
    centres = np.add.reduceat(counts * places, starts) / totals
    return np.stack([centres, totals, np.add.reduceat(sums, starts) / totals], axis=1)


def _losses(steps: Numbers) -> Numbers:
    """Return by how much squared error grows when a step and the next are one (Ward, JASA 58, 1963)."""
    counts, shares = steps[:, 1], steps[:, 2]
    found: Numbers = counts[:-1] * counts[1:] / (counts[:-1] + counts[1:]) * np.diff(shares) ** 2
    return found


def _slopes(steps: Numbers) -> Numbers:
    knots, values = _line(steps)
    found: Numbers = np.diff(values) / np.diff(knots)
    return found


def _joined(steps: Numbers, first: int) -> Numbers:
    """Make one of a step and the next."""
    pair = steps[first : first + 2]
    one = np.average(pair, axis=0, weights=pair[:, 1])
    one[1] = pair[:, 1].sum()
    return np.concatenate([steps[:first], [one], steps[first + 2 :]])


def _line(steps: Numbers) -> tuple[Numbers, Numbers]:
    """Return the centres of steps, as the graph compares them, and the logits of their shares."""
    centres, counts, shares = steps.T
    return centres.astype(np.float32).astype(np.float64), _log_odds(counts, shares)


def _log_odds(counts: Numbers, shares: Numbers) -> Numbers:
    """Return the logits of shares; those of 0 and 1 are half a row away from it, and within the way to the next."""
    low, high = shares.copy(), 1 - shares
    half = 0.5 / (counts + 1)
    if low[0] == 0.0:
        low[0] = min(half[0], low[1] / 2)
        high[0] = 1 - low[0]
    if high[-1] == 0.0:
        high[-1] = min(half[-1], high[-2] / 2)
        low[-1] = 1 - high[-1]
    return np.log(low) - np.log(high)
