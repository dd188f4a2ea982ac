"""The chance of an area below 0.5 against counting and SciPy's test of Mann and Whitney."""

import itertools

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from polyrank.evaluation.chance_areas import below_half_by_chance


def counted(positives: int, others: int) -> float:
    """Count the orders of rows in which fewer than half of the pairs are right."""
    rows = range(positives + others)
    orders = [set(places) for places in itertools.combinations(rows, positives)]
    right = [sum(place not in own for best in own for place in range(best)) for own in orders]
    return float(np.mean([2 * pairs < positives * others for pairs in right]))


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (4, 1), (2, 2), (3, 4), (3, 5), (6, 4)], ids=str)
def test_chance_of_small_groups_is_counted(sizes: tuple[int, int]) -> None:
    found = below_half_by_chance(*(np.array([size]) for size in sizes))
    assert found == pytest.approx(counted(*sizes))


@pytest.mark.parametrize("sizes", [(20, 20), (2, 31), (21, 4), (30, 40)], ids=str)
def test_chance_of_large_groups_is_that_of_scipy(sizes: tuple[int, int]) -> None:
    positives, others = sizes
    below = np.full(positives, others // 2) + np.linspace(0.1, 0.9, positives)  # each is above that many others
    below[: positives * others // 2 - positives * (others // 2)] += 1
    below[0] -= 1  # one pair less than half of them
    found = mannwhitneyu(below, 1 + np.arange(others), alternative="less", method="exact")
    assert 2 * found.statistic < positives * others <= 2 * found.statistic + 2
    assert below_half_by_chance(np.array([positives]), np.array([others])) == pytest.approx(found.pvalue, abs=5e-4)


def test_chance_is_the_mean_over_groups() -> None:
    found = below_half_by_chance(np.array([1, 2, 1]), np.array([1, 2, 1]))
    assert found == pytest.approx((counted(1, 1) * 2 + counted(2, 2)) / 3)
