"""How well scores rank: the area under the ROC curve."""

import math

import numpy as np
from numpy.typing import NDArray


class RankedScores:
    """Scores in order, so that the area is found for other weights without another sort."""

    def __init__(self, scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> None:
        """Sort `scores` [n] of rows of which some are `positive`, bool [n]."""
        self._order = np.argsort(scores)
        self._positive = positive[self._order]
        self._ends = np.flatnonzero(ends_run(scores[self._order]))

    def area(self, weights: NDArray[np.float64] | None = None) -> float:
        """Return the area under the ROC curve, ties counted half: the Mann-Whitney U statistic of weighted rows.

        Args:
            weights: float64 [n], 0 and above; None weighs all alike.

        Returns:
            In [0, 1]; NaN when a class is absent, or weighs nothing.
        """
        ordered = np.ones(len(self._order)) if weights is None else weights[self._order]
        hits = ordered * self._positive
        points = (np.append(0.0, np.cumsum(part)[self._ends]) for part in (hits, ordered - hits))
        positives, negatives = points  # up to the end of each run of ties
        pairs = float(positives[-1] * negatives[-1])
        return float(np.diff(positives) @ (negatives[1:] + negatives[:-1])) / (2 * pairs) if pairs > 0 else math.nan


def auc(scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: NDArray[np.float64] | None = None) -> float:
    """Area under the ROC curve of scores [n], ties counted half; NaN when one class is absent."""
    return RankedScores(scores, positive).area(weights)


def starts_run(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark the rows [n] that differ from the one before; the first always does."""
    marks = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=marks[1:])
    return marks


def ends_run(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark the rows [n] that differ from the one after; the last always does."""
    return starts_run(ordered[::-1])[::-1]
