"""How good probabilities of binary labels are."""

import math

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import starts_run

from .observed import Observed
from .ordering import run_sums
from .statistics import NAN, Sums, ratio

NUM_BINS = 10
EPSILON = float(np.finfo(np.float32).eps)
"""The least likelihood that counts, what float32 resolves beside 1, so that log-loss is finite, as in scikit-learn."""


def log_loss(observed: Observed) -> Sums:
    """Mean negative log-likelihood, in nats."""
    return Sums(observed.weights, [losses(observed)], lambda weight, loss: ratio(loss, weight))


def normalized_entropy(observed: Observed) -> Sums:
    """Log-loss as a share of that of the mean label, which a model without features would answer.

    He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014, section 3, equation 1.
    """
    positive = observed.positive.astype(np.float64)

    def finish(weight: float, loss: float, hits: float, misses: float) -> float:
        return ratio(loss / weight, _entropy(hits / weight, misses / weight)) if hits > 0 and misses > 0 else NAN

    return Sums(observed.weights, [losses(observed), positive, 1 - positive], finish)


def calibration(observed: Observed) -> Sums:
    """Sum of the answers as a ratio to the sum of the labels: above 1, the model promises too much.

    He et al., ADKDD 2014, section 3.
    """
    return Sums(
        observed.weights,
        [observed.predicted, observed.labels],
        lambda _weight, predicted, actual: ratio(predicted, actual),
    )


class CalibrationError:
    """Expected calibration error: by how much mean answer and mean label differ, averaged over bins of rows alike.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2, equation 3, with the bins of Nguyen and
    O'Connor, Posterior Calibration and Exploratory Analysis for Natural Language Processing Models, EMNLP 2015: of
    equal weight, in the order of the answers. Rows with the same answer are in one bin.
    """

    def __init__(self, observed: Observed, num_bins: int = NUM_BINS) -> None:
        self._weights = observed.weights
        self._gaps = observed.weights * (observed.predicted - observed.labels)
        self._bins = bins_by_answer(observed, num_bins)

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the error in the same bins, with each row as often as float64 [n] says."""
        gaps = np.bincount(self._bins, self._gaps * times)
        return ratio(float(np.abs(gaps).sum()), float(self._weights @ times))


def bins_by_answer(observed: Observed, num_bins: int) -> NDArray[np.int64]:
    """Return the bin of each row, int64 [n], of equal weight: that of the middle of those with the same answer."""
    order = observed.by_answer
    opens_tie = starts_run(observed.answers[order])
    starts = np.flatnonzero(opens_tie)
    weights = run_sums(observed.weights[order], starts)
    middles = np.cumsum(weights) - weights / 2
    bins = np.empty(len(order), np.int64)
    bins[order] = (num_bins * middles / weights.sum()).astype(np.int64)[np.cumsum(opens_tie) - 1]
    return bins


def losses(observed: Observed) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each label, float64 [n], in nats."""
    likelihoods = np.where(observed.positive, observed.predicted, 1 - observed.predicted)
    return -np.log(np.maximum(likelihoods, EPSILON))


def _entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)
