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
        None where its influence is not known, or where the rows are too few to tell how it varies.
    """
    sides = (observed.positive, ~observed.positive) if name == "auc" else (np.ones(len(observed), bool),)
    if name not in INFLUENCES or min(num_units(observed.groups, side) for side in sides) < MIN_UNITS:
        return None
    influence, bounds = INFLUENCES[name]
    return normal_interval(value, standard_error(influence(observed), observed.groups), level, bounds)


def standard_error(influence: Floats, groups: NDArray[np.int64] | None) -> float:
    """Return the standard error of what rows [n] move so much; NaN where a single unit tells nothing of others.

    Rows of one group are not independent, and move it together: Obuchowski, Nonparametric Analysis of Clustered ROC
    Curve Data, Biometrics 53, 1997. A row of no group, -1, is by itself.
    """
    count = num_units(groups, np.ones(len(influence), bool))
    if count < 2:  # noqa: PLR2004 (what differs)
        return math.nan
    units = influence
    if groups is not None:
        within = groups >= 0
        units = np.concatenate([np.bincount(groups[within], influence[within]), influence[~within]])
    return math.sqrt(float(units @ units) * count / (count - 1))


def num_units(groups: NDArray[np.int64] | None, chosen: NDArray[np.bool_]) -> int:
    """Count what is independent in the chosen of rows [n]: groups, and rows of none, -1; rows where groups are None."""
    if groups is None:
        return int(chosen.sum())
    members = groups[chosen]
    return len(np.unique(members[members >= 0])) + int((members < 0).sum())


def normal_interval(value: float, error: float, level: float, bounds: Bounds) -> Interval:
    """Return the interval of a normal distribution around a value, cut at its bounds."""
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return (max(bounds[0], value - reach), min(bounds[1], value + reach))


def share_interval(share: float, error: float, num_rows: int, level: float) -> Interval:
    """Return the interval of a share of rows, which is right near 0 and 1 too.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927, for as many independent
    rows as have that standard error: Korn and Graubard, Confidence Intervals for Proportions with Small Expected Number
    of Positive Counts, Survey Methodology 24, 1998. For as many as there are where all have one label, and for one
    where the error is not known.
    """
    share = min(1.0, max(0.0, share))  # a mean of weighted ones is rounded
    variance = share * (1 - share)
    if math.isnan(error):
        count = 1.0
    else:
        count = min(variance / error**2, float(num_rows)) if variance * error > 0 else float(num_rows)
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * math.sqrt(variance / count + z**2 / (4 * count**2))
    return (max(0.0, middle - reach), min(1.0, middle + reach))
