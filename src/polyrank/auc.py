"""How well scores rank: the area under the ROC curve."""

import math

import numpy as np
from numpy.typing import NDArray


class RankedScores:
    """Scores in order, so that the area is found for other weights without another sort."""

    def __init__(
        self, scores: NDArray[np.floating], positive: NDArray[np.bool_], order: NDArray[np.int64] | None = None
    ) -> None:
        """Sort `scores` [n] of rows of which some are `positive`, bool [n], unless their `order` [n] is known."""
        self._order = np.argsort(scores) if order is None else order
        opens_tie = starts_run(scores[self._order])
        self._positives = np.flatnonzero(positive[self._order])
        ties = np.cumsum(opens_tie)[self._positives]
        bounds = np.append(np.flatnonzero(opens_tie), len(scores))
        self._lower, self._upper = bounds[ties - 1], bounds[ties]  # ends of the ties of each positive row

    def area(self, weights: NDArray[np.float64] | None = None) -> float:
        """Return the area under the ROC curve, ties counted half: the Mann-Whitney U statistic of weighted rows.

        Args:
            weights: float64 [n], 0 and above; None weighs all alike.

        Returns:
            In [0, 1]; NaN when a class is absent, or weighs nothing.
        """
        negatives = np.ones(len(self._order)) if weights is None else weights[self._order]
        positives = negatives[self._positives]
        negatives[self._positives] = 0.0
        below = np.append(0.0, np.cumsum(negatives, out=negatives))
        pairs = float(positives.sum() * below[-1])
        return float(positives @ (below[self._lower] + below[self._upper])) / (2 * pairs) if pairs > 0 else math.nan


def auc(scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: NDArray[np.float64] | None = None) -> float:
    """Area under the ROC curve of scores [n], ties counted half; NaN when one class is absent."""
    return RankedScores(scores, positive).area(weights)


def starts_run(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark the rows [n] that differ from the one before; the first always does."""
    marks = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=marks[1:])
    return marks
