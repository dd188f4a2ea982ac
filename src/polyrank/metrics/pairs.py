"""How often the larger of two answers belongs to the larger of two labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import starts_run

from .observed import Observed
from .ordering import order_within, run_sums
from .statistics import NAN


class OrderedPairs:
    """Share of the pairs of rows with different labels whose answers are in the same order, tied answers counted half.

    Zhan et al., Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation, KDD 2022, where it is
    XAUC; of 0/1 labels it is the area under the ROC curve. A pair weighs the product of its rows' weights, as in
    TorchRec. No pair is left out: they are counted as a wavelet matrix counts (Claude, Navarro and Ordóñez, The Wavelet
    Matrix, Information Systems 47, 2015), one pass over the rows for each bit of their number.
    """

    def __init__(self, observed: Observed) -> None:
        """Sort rows by label, tied ones by falling answer, so that no pair with equal labels looks ordered."""
        label_ranks = _ranks(observed.labels, np.argsort(observed.labels))
        self._order = order_within(label_ranks, observed.by_answer[::-1])
        self._weights = observed.weights
        answers = _ranks(observed.answers, observed.by_answer)[self._order]
        self._by_answer = by_answer = order_within(
            answers, np.arange(len(observed))[::-1]
        )  # of tied ones the last first
        opens_label = starts_run(label_ranks[self._order])
        self._label_starts = np.flatnonzero(opens_label)
        self._tie_starts = np.flatnonzero(opens_label | starts_run(answers))
        self._answer_starts = np.flatnonzero(starts_run(answers[by_answer]))
        self._halvings = _halvings(by_answer)

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the share with each row as often as float64 [n] says; NaN when all labels are equal."""
        weights = (self._weights * times)[self._order]
        of_labels = run_sums(weights, self._label_starts)
        if np.count_nonzero(of_labels) < 2:  # noqa: PLR2004 (a pair)
            return NAN
        right, by_answer = self._ordered_pairs(weights)
        of_answers = run_sums(by_answer, self._answer_starts)
        of_ties = run_sums(weights, self._tie_starts)
        tied = (of_answers @ of_answers - of_ties @ of_ties) / 2
        pairs = (of_labels.sum() ** 2 - of_labels @ of_labels) / 2
        return float((right + tied / 2) / pairs)

    def influence(self) -> NDArray[np.float64]:
        """Return how much each row moves the share, float64 [n], summing to 0; there are two different labels or more.

        The share is a ratio of two sums over pairs: a row's part in it is what its pairs are above the share.
        """
        weights = self._weights[self._order]
        right = np.empty(len(weights))
        right[self._by_answer] = self._ordered_weights(weights)
        tied = np.empty(len(weights))
        tied[self._by_answer] = _of_runs(weights[self._by_answer], self._answer_starts)
        tied -= _of_runs(weights, self._tie_starts)
        right += tied / 2
        paired = weights.sum() - _of_runs(weights, self._label_starts)
        pairs = weights @ paired
        found = np.empty(len(weights))
        found[self._order] = 2 * weights * (right - (weights @ right) / pairs * paired) / pairs
        return found

    def _ordered_weights(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum for each row the weights of those whose answers are in the order of the labels, [n] by answer."""
        blocks, size = np.zeros((2, 2 ** len(self._halvings))), 2 ** len(self._halvings)
        blocks[0, : len(weights)] = weights
        for is_upper in self._halvings:
            size //= 2
            lower, upper = blocks[:, ~is_upper], blocks[:, is_upper]
            sums = np.append(0.0, np.cumsum(lower[0]))
            num_before = np.flatnonzero(is_upper) - np.arange(upper.shape[1])
            upper[1] += sums[num_before] - np.repeat(sums[:-1:size], size)
            sums = np.append(0.0, np.cumsum(upper[0]))
            num_before = np.flatnonzero(~is_upper) - np.arange(lower.shape[1])
            lower[1] += np.repeat(sums[size::size], size) - sums[num_before]
            blocks = np.stack([_side_by_side(*pair, size) for pair in zip(lower, upper, strict=True)])
        return blocks[1, : len(weights)]

    def _ordered_pairs(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Sum the weights of the pairs whose answers are in the order of their labels; sort the weights by answer.

        Rows are in blocks of consecutive ranks of answers, within a block in the order of labels. A pass halves all
        blocks: of a pair that it parts, the answers are in the order of the labels when the upper row comes last.
        """
        blocks = np.zeros(2 ** len(self._halvings))
        blocks[: len(weights)] = weights
        total, size = 0.0, len(blocks)
        for is_upper in self._halvings:
            size //= 2
            lower, upper = blocks.compress(~is_upper), blocks.compress(is_upper)
            sums = np.append(0.0, np.cumsum(lower))
            num_before = np.flatnonzero(is_upper) - np.arange(len(upper))  # lower rows, those of earlier blocks too
            earlier = upper.reshape(-1, size).sum(axis=1) @ sums[:-1:size]
            total += float(upper @ sums[num_before] - earlier)
            blocks = _side_by_side(lower, upper, size)
        return total, blocks[: len(weights)]


def _of_runs(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each of the values [n] the sum of its run."""
    return np.repeat(run_sums(values, starts), np.diff(starts, append=len(values)))


def _ranks(values: NDArray[np.floating], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each value [n], from 0; that of equal ones is the same. `order` [n] is theirs."""
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.cumsum(starts_run(values[order])) - 1
    return ranks


def _halvings(order: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Say for each pass which rows go to the upper half of their block.

    `order` [n] lists places by rank. Ranks go on up to a power of two, so that all blocks of a pass have one size.
    """
    num_passes = max(len(order) - 1, 0).bit_length()
    ranks = np.arange(2**num_passes, dtype=np.int32 if num_passes < np.iinfo(np.int32).bits else np.int64)
    ranks[order] = np.arange(len(order))
    halvings = []
    for size in (1 << bit for bit in reversed(range(num_passes))):
        is_upper = ranks & size != 0
        ranks = _side_by_side(ranks.compress(~is_upper), ranks.compress(is_upper), size)
        halvings.append(is_upper)
    return halvings


def _side_by_side(lower: NDArray[Any], upper: NDArray[Any], size: int) -> NDArray[Any]:
    return np.stack([lower.reshape(-1, size), upper.reshape(-1, size)], axis=1).ravel()
