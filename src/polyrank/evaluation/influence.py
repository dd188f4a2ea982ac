"""Confidence intervals without resampling: of how much each row moves a metric."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import starts_run
from polyrank.metrics import Interval
from polyrank.metrics.classes import class_losses
from polyrank.metrics.observed import Observed
from polyrank.metrics.pairs import OrderedPairs
from polyrank.metrics.probabilities import losses

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

MIN_UNITS = 10
"""So many groups, or rows of none, of each class where there are two: fewer tell little of how a metric varies."""

UNIT, POSITIVE = (0.0, 1.0), (0.0, math.inf)
ROUNDING = 1e-12
"""What is below it, as a share, is 0 but for rounding."""


def area_influence(observed: Observed) -> Floats:
    """Return how much each row moves the area under the ROC curve, float64 [n], summing to 0; ties are counted half.

    DeLong, DeLong and Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves, Biometrics 44, 1988: a positive row's share of the negative weight below it, a negative row's
    of the positive weight above it, each less the area.
    """
    order = observed.by_answer
    weights = observed.weights[order]
    positive = observed.positive[order]
    ties = np.cumsum(starts_run(observed.answers[order])) - 1
    hits, misses = weights * positive, weights * ~positive
    tied_hits, tied_misses = np.bincount(ties, hits), np.bincount(ties, misses)
    below = (np.cumsum(tied_misses) - tied_misses / 2)[ties] / misses.sum()
    above = 1 - (np.cumsum(tied_hits) - tied_hits / 2)[ties] / hits.sum()
    area = float(hits @ below) / hits.sum()
    found = np.empty(len(order))
    found[order] = hits * (below - area) / hits.sum() + misses * (above - area) / misses.sum()
    return found


def root_mean_square_influence(observed: Observed) -> Floats:
    """Return how much each row moves the root mean squared error, float64 [n], summing to 0."""
    squares = (observed.predicted - observed.labels) ** 2
    root = math.sqrt(float(observed.weights @ squares) / observed.weights.sum())
    return mean_influence(squares, observed.weights) / (2 * root) if root > 0 else np.zeros(len(squares))


def ordered_pairs_influence(observed: Observed) -> Floats:
    """Return how much each row moves the share of pairs whose answers are ordered as their labels, float64 [n]."""
    return OrderedPairs(observed).influence()


def log_loss_influence(observed: Observed) -> Floats:
    """Return how much each row moves the log-loss, float64 [n], summing to 0."""
    is_multiclass = observed.answers.ndim > 1
    return mean_influence(class_losses(observed) if is_multiclass else losses(observed), observed.weights)


def mean_influence(values: Floats, weights: Floats) -> Floats:
    """Return how much each of the values [n] moves their weighted mean, float64 [n], summing to 0."""
    total = weights.sum()
    influence: Floats = weights * (values - float(weights @ values) / total) / total
    return influence


INFLUENCES: dict[str, tuple[Callable[[Observed], Floats], Bounds]] = {
    "auc": (area_influence, UNIT),
    "rmse": (root_mean_square_influence, POSITIVE),
    "xauc": (ordered_pairs_influence, UNIT),
    "log_loss": (log_loss_influence, POSITIVE),
}
"""Of the first metric of each kind of task, and of what is slow to resample, with the bounds of its values."""


def influence_interval(name: str, observed: Observed, value: float, level: float) -> Interval | None:
    """Return the interval of a metric that has this defined value.

    Returns:
        None where its influence is not known, or where the rows are too few or too much alike to tell how it varies.
    """
    sides = (observed.positive, ~observed.positive) if name == "auc" else (np.ones(len(observed), bool),)
    if name not in INFLUENCES or min(num_units(observed.groups, side) for side in sides) < MIN_UNITS:
        return None
    influence, bounds = INFLUENCES[name]
    moves, groups = influence(observed), observed.groups
    error = class_error(moves, groups, observed.positive) if name == "auc" else standard_error(moves, groups)
    if error <= ROUNDING * value or (bounds == UNIT and value * (1 - value) <= ROUNDING):
        return None
    return logit_interval(value, error, level) if bounds == UNIT else normal_interval(value, error, level, bounds)


def class_error(influence: Floats, groups: NDArray[np.int64] | None, positive: NDArray[np.bool_]) -> float:
    """Return the standard error of an area that rows [n] move so much, of either class two units or more.

    Each class varies by itself, by as many units as it has, and both together within the groups that have both:
    Obuchowski, Biometrics 53, 1997, section 2; of rows without groups that is DeLong's error.
    """
    units = numbered(groups, len(influence))
    hits, misses = (np.bincount(units, influence * side) for side in (positive, ~positive))
    factors = [_unbiased(num_units(groups, side)) for side in (positive, ~positive, positive | ~positive)]
    variance = float(np.dot(factors, [hits @ hits, misses @ misses, 2 * hits @ misses]))
    return math.sqrt(max(0.0, variance))  # of classes that even each other out it is 0 but for rounding


def numbered(groups: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """Number what is independent, int64 [count]: groups, and rows of none, -1; each row where groups are None."""
    if groups is None:
        return np.arange(count)
    alone = np.flatnonzero(groups < 0)
    units = groups.copy()
    units[alone] = groups.max(initial=-1) + 1 + np.arange(len(alone))
    return units


def _unbiased(count: int) -> float:
    """Return what a variance of so many, around their own mean, lacks."""
    return count / (count - 1)


def standard_error(influence: Floats, groups: NDArray[np.int64] | None) -> float:
    """Return the standard error of what rows [n] move so much; NaN where a single unit tells nothing of others.

    Rows of one group are not independent, and move it together: Obuchowski, Nonparametric Analysis of Clustered ROC
    Curve Data, Biometrics 53, 1997. A row of no group, -1, is by itself.
    """
    count = num_units(groups, np.ones(len(influence), bool))
    if count < 2:  # noqa: PLR2004 (what differs)
        return math.nan
    units = influence if groups is None else np.bincount(numbered(groups, len(influence)), influence)
    return math.sqrt(float(units @ units) * _unbiased(count))


def num_units(groups: NDArray[np.int64] | None, chosen: NDArray[np.bool_]) -> int:
    """Count what is independent in the chosen of rows [n]: groups, and rows of none, -1; rows where groups are None."""
    if groups is None:
        return int(chosen.sum())
    members = groups[chosen]
    known = members[members >= 0]
    return int(np.count_nonzero(np.bincount(known))) + len(members) - len(known)


def normal_interval(value: float, error: float, level: float, bounds: Bounds) -> Interval:
    """Return the interval of a normal distribution around a value, cut at its bounds."""
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return (max(bounds[0], value - reach), min(bounds[1], value + reach))


def logit_interval(value: float, error: float, level: float) -> Interval:
    """Return the interval of an area in (0, 1), normal in its log-odds, so that it ends before 0 and 1.

    Pepe, The Statistical Evaluation of Medical Tests for Classification and Prediction, 2003, section 5.2.4.
    """
    reach = NormalDist().inv_cdf((1 + level) / 2) * error / (value * (1 - value))
    middle = math.log(value) - math.log1p(-value)
    return (_share_of(middle - reach), _share_of(middle + reach))


def _share_of(odds: float) -> float:
    """Return the share that has these log-odds, which may be huge."""
    return (1 + math.tanh(odds / 2)) / 2


def share_interval(share: float, error: float, level: float, *, rows: int, units: int) -> Interval:
    """Return the interval of a share of rows, which is right near 0 and 1 too.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927, for as many independent
    rows as have that standard error: Korn and Graubard, Confidence Intervals for Proportions with Small Expected Number
    of Positive Counts, Survey Methodology 24, 1998.

    Args:
        share: of the rows with a label of 1.
        error: its standard error; NaN where it is not known, which is as if there were one row.
        level: of the interval.
        rows: how many there are, which independent ones are not above.
        units: how many groups, and rows of none: as many count where all rows have one label.
    """
    share = min(1.0, max(0.0, share))  # a mean of weighted ones is rounded
    variance = share * (1 - share)
    if math.isnan(error):
        count = 1.0
    else:
        count = min(variance / error**2, float(rows)) if variance * error > 0 else float(units)
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * math.sqrt(variance / count + z**2 / (4 * count**2))
    return (max(0.0, middle - reach), min(1.0, middle + reach))
