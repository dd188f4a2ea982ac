"""How well levels of an ordered scale are met."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .observed import Observed
from .statistics import NAN, Sums, ratio

NO_SPREAD = 1e-12


def level_accuracy(observed: Observed, levels: Sequence[float]) -> Sums:
    """Share of the rows whose label is the level nearest to the answer."""
    answered, actual = _indices(observed.predicted, levels), _indices(observed.labels, levels)
    return Sums(observed.weights, [(answered == actual).astype(np.float64)], lambda weight, hits: ratio(hits, weight))


def quadratic_kappa(observed: Observed, levels: Sequence[float]) -> Sums:
    """Agreement of the level nearest to the answer with the label, beyond that of chance, in [-1, 1].

    Cohen, Weighted Kappa, Psychological Bulletin 70, 1968, with the square of the number of levels between the two as
    disagreement: one less the mean disagreement of the rows as a share of that of answers and labels paired at random.
    """
    answered, actual = _indices(observed.predicted, levels), _indices(observed.labels, levels)
    middle = np.rint(actual.mean()) if len(observed) else 0.0  # near the mean, squares lose no digits
    answered, actual = answered - middle, actual - middle

    def finish(weight: float, *sums: float) -> float:
        if weight <= 0:
            return NAN
        first, second, squares, disagreement = (total / weight for total in sums)
        by_chance = squares - 2 * first * second
        return 1 - disagreement / by_chance if by_chance > NO_SPREAD else NAN

    columns = [answered, actual, answered**2 + actual**2, (answered - actual) ** 2]
    return Sums(observed.weights, columns, finish)


def _indices(values: NDArray[np.float64], levels: Sequence[float]) -> NDArray[np.float64]:
    """Return the index of the level nearest to each value [n], the upper of two as near."""
    known = np.array(levels, np.float32).astype(np.float64)
    return np.searchsorted((known[1:] + known[:-1]) / 2, values, side="right").astype(np.float64)
