"""How well scores rank positive rows above others: over all rows, and within groups."""

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import RankedScores

from .grouped_scores import GroupedScores
from .observed import Observed
from .ordering import order_within
from .statistics import MeanOverGroups

TOP = 10


class Area:
    """Area under the ROC curve of weighted rows, ties counted half."""

    def __init__(self, observed: Observed) -> None:
        self._weights = observed.weights
        self._ranked = RankedScores(observed.answers, observed.positive, observed.by_answer)

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the area with each row as often as float64 [n] says."""
        return self._ranked.area(self._weights * times)


def grouped_area(observed: Observed) -> MeanOverGroups:
    """Area under the ROC curve within each group, averaged by the weight of its rows.

    Zhou et al., Deep Interest Network, KDD 2018, section 4.2, where the weight is the number of impressions. Groups of
    one class are skipped.
    """
    scores = observed.grouped_scores
    return MeanOverGroups(scores.areas(), scores.weights, scores.first_rows)


def ndcg(observed: Observed, k: int = TOP) -> MeanOverGroups:
    """Normalised discounted cumulative gain of each group's best `k` rows, averaged by the mean weight of its rows.

    Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, TOIS 20, 2002, with the discount
    1 / log2(1 + rank) of Burges et al., Learning to Rank using Gradient Descent, ICML 2005. Weights of rows do not act
    within a group, as in LightGBM. Groups without a positive row are skipped; ties are those of `GroupedScores.gains`.
    """
    scores = observed.grouped_scores
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.append(np.nan, np.cumsum(discounts))[np.minimum(scores.positives, k).astype(np.int64)]
    return MeanOverGroups(scores.gains(discounts) / ideal, scores.weights / scores.sizes, scores.first_rows)


def graded_ndcg(observed: Observed, gains: NDArray[np.float64], k: int = TOP) -> MeanOverGroups:
    """Normalised discounted cumulative gain with a gain of each row, float64 [n], 0 and above; otherwise as `ndcg`.

    Groups without a gain above 0 are skipped.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    groups = np.full(len(observed), -1) if observed.groups is None else observed.groups

    def ordered(scores: NDArray[np.floating]) -> GroupedScores:
        order = order_within(groups, np.argsort(scores))
        return GroupedScores(scores[order], gains[order], observed.weights[order], groups[order], order)

    found, ideal = ordered(observed.answers), ordered(gains).gains(discounts)
    values = np.divide(found.gains(discounts), ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)
    return MeanOverGroups(values, found.weights / found.sizes, found.first_rows)


def recall(observed: Observed, k: int = TOP) -> MeanOverGroups:
    """Share of a group's positive rows that are among its best `k`, averaged by the mean weight of its rows.

    Groups without a positive row are skipped; of tied rows at the cut, each is among the best with the same chance.
    A group of more than `k` positive rows cannot reach 1.
    """
    scores = observed.grouped_scores
    positives = np.where(scores.positives > 0, scores.positives, np.nan)
    return MeanOverGroups(scores.gains(np.ones(k)) / positives, scores.weights / scores.sizes, scores.first_rows)
