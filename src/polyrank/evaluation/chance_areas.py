"""How many groups have an area under the ROC curve below 0.5 where scores are random."""

import functools
import math

import numpy as np
from numpy.typing import NDArray

EXACT_ROWS = 20
"""Of as many rows of either class the distribution is counted."""


def below_half_by_chance(positives: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """Return the mean chance that random scores without ties give a group an area under the ROC curve below 0.5.

    An area of just 0.5 takes a part of the chance, the rest of which is the same on either side: Mann and Whitney, On a
    Test of Whether One of Two Random Variables is Stochastically Larger than the Other, Annals of Mathematical
    Statistics 18, 1947.

    Args:
        positives: int64 [G], rows of each group with a label of 1, 1 or more.
        others: int64 [G], likewise its other rows.

    >>> below_half_by_chance(np.array([1, 1]), np.array([1, 3]))
    0.5
    """
    sizes, counts = np.unique(np.stack([positives, others], axis=1), axis=0, return_counts=True)
    halves = [_half(*pair) for pair in sizes.tolist()]
    return float((1 - np.average(halves, weights=counts)) / 2)


def _half(positives: int, others: int) -> float:
    """Return the chance of an area of just 0.5: half of all pairs are in order."""
    pairs = positives * others
    if pairs % 2:
        return 0.0
    if min(positives, others) == 1:
        return 1 / (pairs + 1)
    if max(positives, others) <= EXACT_ROWS:
        return float(_ordered_pairs(positives, others)[pairs // 2])
    deviation = math.sqrt(pairs * (positives + others + 1) / 12)
    return math.erf(0.5 / (deviation * math.sqrt(2)))


@functools.cache
def _ordered_pairs(positives: int, others: int) -> NDArray[np.float64]:
    """Return the chance of each number of pairs in order, from 0 to all: of the best row, with and without it."""
    if not positives or not others:
        return np.ones(1)
    found = np.zeros(positives * others + 1)
    found[others:] += positives / (positives + others) * _ordered_pairs(positives - 1, others)
    found[: positives * (others - 1) + 1] += others / (positives + others) * _ordered_pairs(positives, others - 1)
    return found
