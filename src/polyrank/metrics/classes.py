"""How good probabilities of classes without an order are."""

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import RankedScores

from .observed import Observed
from .probabilities import EPSILON
from .statistics import NAN, Sums, ratio

MAX_SORTED = 2**24
"""Above this many answers, one-vs-rest areas compare with a sample of the rows."""
MIN_SAMPLED = 1024


def class_log_loss(observed: Observed) -> Sums:
    """Mean negative log-likelihood of the class that the label names, in nats."""
    return Sums(observed.weights, [class_losses(observed)], lambda weight, loss: ratio(loss, weight))


def class_losses(observed: Observed) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each label, float64 [n], in nats."""
    likelihoods = observed.answers[np.arange(len(observed)), observed.labels.astype(np.int64)].astype(np.float64)
    found: NDArray[np.float64] = -np.log(np.maximum(likelihoods, EPSILON))
    return found


def class_accuracy(observed: Observed) -> Sums:
    """Share of the rows whose likeliest class, the first of equal ones, is the label."""
    hits = (observed.answers.argmax(axis=1) == observed.labels).astype(np.float64)
    return Sums(observed.weights, [hits], lambda weight, total: ratio(total, weight))


class MacroArea:
    """Area under the ROC curve of each class against the rest, averaged over classes alike.

    Hand and Till, A Simple Generalisation of the Area Under the ROC Curve for Multiple Class Classification Problems,
    Machine Learning 45, 2001, section 2, call it Provost and Domingos' and weigh classes by their share; here, as in
    scikit-learn's `macro`, they weigh the same. Classes without a row are skipped, and counted. Of more than
    `MAX_SORTED` answers in all, the rows of a class compare with those of a sample, the same for every class.
    """

    def __init__(self, observed: Observed) -> None:
        self._weights = observed.weights
        sample = _sample(observed.answers.shape)
        present = np.unique(observed.labels).astype(np.int64)
        self._classes = [_against_rest(observed, label, sample) for label in present]
        self.counts = {
            "classes": len(present),
            "skipped_classes": observed.answers.shape[1] - len(present),
        }

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the mean area with each row as often as float64 [n] says; NaN when no class has an area."""
        weights = self._weights * times
        areas = np.array([scores.area(weights[rows]) for rows, scores in self._classes])
        defined = areas[~np.isnan(areas)]
        return float(defined.mean()) if len(defined) else NAN


def _sample(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the rows that every class is compared with, bool [n]: all, or a random sample that is always the same."""
    num_rows, num_classes = shape
    size = max(MIN_SAMPLED, MAX_SORTED // num_classes)
    marks = np.zeros(num_rows, bool)
    marks[np.random.default_rng(0).permutation(num_rows)[:size]] = True
    return marks


def _against_rest(observed: Observed, label: int, sample: NDArray[np.bool_]) -> tuple[NDArray[np.int64], RankedScores]:
    """Rank the rows of a class and those of the sample."""
    is_label = observed.labels == label
    rows = np.flatnonzero(is_label | sample)
    return rows, RankedScores(observed.answers[rows, label], is_label[rows])
