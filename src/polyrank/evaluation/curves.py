"""Calibration curves, histograms of answers, and the areas of groups."""

import math

import numpy as np
from numpy.typing import NDArray

from polyrank.metrics.observed import Observed
from polyrank.metrics.probabilities import bins_by_answer
from polyrank.tasks import BinaryTask, MulticlassTask, Task

from .chance_areas import below_half_by_chance
from .findings import CalibrationBin, Distribution, GroupAreas
from .influence import mean_influence, normal_interval, num_units, share_interval, standard_error

CALIBRATION_BINS = 10
HISTOGRAM_BINS = 40
AREA_BINS = 20
TAIL = 0.001
"""Share of the rows at either end of a histogram that may lie in its outermost bins though they lie beyond."""
MAX_SERIES = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def calibration_curve(task: Task, observed: Observed, level: float) -> tuple[CalibrationBin, ...]:
    """Return mean answer and mean label of bins of about equal weight, by rising answer; none of a multiclass task."""
    if isinstance(task, MulticlassTask) or not len(observed):
        return ()
    bins = bins_by_answer(observed, CALIBRATION_BINS)
    return tuple(_bin(task, observed, np.flatnonzero(bins == number), level) for number in np.unique(bins))


def _bin(task: Task, observed: Observed, rows: NDArray[np.int64], level: float) -> CalibrationBin:
    weights, labels = observed.weights[rows], observed.labels[rows]
    groups = None if observed.groups is None else observed.groups[rows]
    mean = float(weights @ labels) / float(weights.sum())
    error = standard_error(mean_influence(labels, weights), groups)
    if math.isnan(error) and not isinstance(task, BinaryTask):
        error = float(observed.labels.std())  # of one unit only the other bins tell how labels differ
    interval = (
        share_interval(mean, error, level, rows=len(rows), units=num_units(groups, np.ones(len(rows), bool)))
        if isinstance(task, BinaryTask)
        else normal_interval(mean, error, level, (-np.inf, np.inf))
    )
    answer = float(weights @ observed.predicted[rows]) / float(weights.sum())
    return CalibrationBin(rows=len(rows), answer=answer, label=mean, interval=interval)


def distribution(task: Task, observed: Observed) -> Distribution | None:
    """Return the histogram of the answers; None without a row."""
    if not len(observed):
        return None
    values = observed.predicted
    if isinstance(task, MulticlassTask):
        values = values[np.arange(len(observed)), observed.labels.astype(np.int64)]
    edges = _edges(*np.quantile(values, (TAIL, 1 - TAIL)).tolist())
    clipped = values.clip(edges[0], edges[-1])
    series = {
        name: tuple(np.histogram(clipped[chosen], edges)[0].tolist())
        for name, chosen in _series(task, observed).items()
    }
    return Distribution(edges=tuple(edges.tolist()), series=series)


def _edges(low: float, high: float) -> NDArray[np.float64]:
    """Return the ends of bins from low to high, or around them where they are one number."""
    margin = 0.0 if low < high else max(0.5, abs(low) / 2)
    return np.linspace(low - margin, high + margin, HISTOGRAM_BINS + 1)


def _series(task: Task, observed: Observed) -> dict[str, NDArray[np.bool_] | slice]:
    if isinstance(task, BinaryTask):
        return {"0": ~observed.positive, "1": observed.positive}
    if isinstance(task, MulticlassTask) and task.num_classes <= MAX_SERIES:
        return {str(number): observed.labels == number for number in range(task.num_classes)}
    return {"all": slice(None)}


def group_areas(observed: Observed) -> GroupAreas | None:
    """Return how the area under the ROC curve is spread over groups; None where no group has labels of both classes."""
    scores = observed.grouped_scores
    areas = scores.areas().clip(0.0, 1.0)  # sums of weights are rounded
    has_both = ~np.isnan(areas)
    defined, positives = areas[has_both], scores.positives[has_both].astype(np.int64)
    if not len(defined):
        return None
    counts, edges = np.histogram(defined, AREA_BINS, (0.0, 1.0))
    return GroupAreas(
        groups=len(defined),
        skipped_groups=len(areas) - len(defined),
        below_half=float((defined < 0.5).mean()),  # noqa: PLR2004 (the area of chance)
        below_half_by_chance=below_half_by_chance(positives, scores.sizes[has_both] - positives),
        quantiles={str(share): float(np.quantile(defined, share)) for share in QUANTILES},
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )
