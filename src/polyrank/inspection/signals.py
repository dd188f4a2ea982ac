"""How well one feature alone tells a label."""

import dataclasses
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import auc
from polyrank.fingerprint import MISSING

from .linear import VectorSignal

MIN_CLASS_ROWS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class NumberSignal:
    """A number in each row.

    Attributes:
        values: float64 [B], NaN where missing.
    """

    values: NDArray[np.float64]
    is_directed = False

    def scores(self, _labels: NDArray[np.float64], _fitted: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        """Return the numbers; where some are missing twice, with those at either end."""
        ends = (-np.inf, np.inf) if np.isnan(self.values).any() else (np.inf,)
        return [np.where(np.isnan(self.values), end, self.values) for end in ends]


@dataclasses.dataclass(frozen=True, slots=True)
class ValueSignal:
    """Values without an order, at least one in each row: one, or those of a bag.

    Attributes:
        rows: int64 [n], the row of each value.
        codes: int64 [n], a small number for each distinct value; that a row has none is a value as well.
        weights: float64 [n], 0 and above.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    weights: NDArray[np.float64]
    is_directed = True

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int64],
        fingerprints: NDArray[np.int64],
        num_rows: int,
        weights: NDArray[np.float32] | None = None,
    ) -> Self:
        """Number the fingerprints int64 [n] of the values of some of `num_rows` rows; `weights` are float32 [n]."""
        empty = np.flatnonzero(np.bincount(rows, minlength=num_rows) == 0)
        codes = np.unique(np.append(fingerprints, np.full(len(empty), MISSING)), return_inverse=True)[1]
        sizes = np.ones(len(rows)) if weights is None else np.abs(weights.astype(np.float64))
        return cls(np.append(rows, empty), codes, np.append(sizes, np.ones(len(empty))))

    def scores(self, labels: NDArray[np.float64], fitted: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        """Return the mean label that each row's values have in the `fitted` rows, drawn to the mean of all by one row.

        A value that the fitted rows lack, as most are where each row has its own, says nothing: the mean of all.
        """
        mean = float(labels[fitted].mean())
        known = fitted[self.rows]
        size = int(self.codes.max(initial=-1)) + 1
        weights = self.weights[known]
        sums = np.bincount(self.codes[known], weights * labels[self.rows[known]], size)
        means = (sums + mean) / (np.bincount(self.codes[known], weights, size) + 1)
        total = np.bincount(self.rows, self.weights * means[self.codes], len(labels))
        divisor = np.bincount(self.rows, self.weights, len(labels))
        return [np.divide(total, divisor, out=np.full(len(labels), mean), where=divisor > 0)]


Signal = NumberSignal | ValueSignal | VectorSignal


def strength(
    signal: Signal, labels: NDArray[np.float64], generator: np.random.Generator, *, is_binary: bool
) -> float | None:
    """Return how well a feature tells labels float64 [B], NaN where unobserved: an AUC, or an absolute correlation.

    What is fitted, means of values and lines through vectors, is fitted on one random half and judged on the other, so
    that a feature with a value for each row tells nothing. None where the judged half has fewer than `MIN_CLASS_ROWS`
    rows of a class, or in all.
    """
    observed = ~np.isnan(labels)
    fitted = observed & (generator.random(len(labels)) < 0.5)  # noqa: PLR2004 (a half)
    judged = observed & ~fitted
    actual = labels[judged]
    sizes = ((actual == 1).sum(), (actual == 0).sum()) if is_binary else (len(actual),)
    if min(sizes) < MIN_CLASS_ROWS or not fitted.any():
        return None
    found = [scores[judged] for scores in signal.scores(labels, fitted)]
    if not is_binary:
        return max(_correlation(scores, actual) for scores in found)
    areas = [auc(scores, actual == 1) for scores in found]
    return max(areas if signal.is_directed else [max(area, 1 - area) for area in areas])


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the larger of the absolute correlations of two columns [B], of values and of ranks."""
    ranks = _pearson(_ranks(first), _ranks(second))
    present = np.isfinite(first)
    return max(ranks, _pearson(first[present], second[present])) if present.sum() >= MIN_CLASS_ROWS else ranks


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _pearson(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return abs(float(first @ second)) / scale if scale > 0 else 0.0
