"""How far distributions are apart, and how far chance takes them, by other formulas."""

import math

import numpy as np
import pytest
from scipy import stats

from polyrank.drift.stability import (
    FALSE_ALARM_RATE,
    chi_square_quantile,
    ks_distance,
    normal_limit,
    psi,
    psi_by_chance,
    share_by_chance,
    without_rare,
)


def test_index_of_many_rows_is_the_textbook_sum() -> None:
    expected = sum((q - p) * math.log(q / p) for p, q in ((0.5, 0.2), (0.3, 0.3), (0.2, 0.5)))
    found = psi(np.array([5e9, 3e9, 2e9]), np.array([2e9, 3e9, 5e9]))
    assert found == pytest.approx(expected, rel=1e-6)


def test_bin_that_is_empty_on_one_side_is_no_infinite_change() -> None:
    assert 1.0 < psi(np.array([100.0, 0.0]), np.array([50.0, 50.0])) < 10.0


def test_bins_that_are_empty_on_both_sides_do_not_count() -> None:
    one, other = np.array([30.0, 70.0]), np.array([45.0, 55.0])
    assert psi(np.append(one, [0.0, 0.0]), np.append(other, [0.0, 0.0])) == psi(one, other)


def test_rare_bins_are_joined_in_order_until_they_are_not() -> None:
    one = np.array([500.0, 4.0, 0.0, 300.0, 5.0, 9.0, 3.0, 9.0])
    other = np.array([400.0, 6.0, 0.0, 350.0, 9.0, 8.0, 2.0, 8.0])
    found = without_rare(one, other)
    assert [side.tolist() for side in found] == [[500.0, 300.0, 9.0, 21.0], [400.0, 350.0, 15.0, 18.0]]


LEFT_OVER = {
    "to the last joined": (([90, 6, 6, 3], [90, 6, 6, 2]), ([90, 15], [90, 14])),
    "to the smallest bin": (([90, 40, 60, 3], [80, 50, 60, 2]), ([90, 43, 60], [80, 52, 60])),
    "alone": (([3, 2], [1, 4]), ([5], [5])),
}


@pytest.mark.parametrize("case", LEFT_OVER)
def test_rare_bins_that_are_left_over_are_never_a_bin_beside_others(case: str) -> None:
    given, expected = LEFT_OVER[case]
    found = without_rare(*(np.array(side, np.float64) for side in given))
    assert tuple(side.tolist() for side in found) == expected


def test_chance_goes_no_further_with_a_rare_bin() -> None:
    random, shares = np.random.default_rng(0), np.array([0.5, 0.4995, 0.0005])
    pairs = zip(random.multinomial(2_000, shares, 1_000), random.multinomial(2_000, shares, 1_000), strict=True)
    joined = [without_rare(one, other) for one, other in pairs]
    assert np.mean([psi(*both) > psi_by_chance(len(both[0]), (2_000, 2_000), 0.01) for both in joined]) < 0.03


def test_few_rows_with_the_shares_of_many_are_not_apart() -> None:
    assert psi(np.array([1.0, 3.0]), np.array([1e6, 3e6])) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("degrees", "tolerance"), [(1, 0.031), (2, 0.024), (9, 0.007), (101, 0.0005)])
@pytest.mark.parametrize("level", [0.95, 0.999])
def test_quantile_of_chi_square_is_nearly_that_of_scipy(level: float, degrees: int, tolerance: float) -> None:
    assert chi_square_quantile(level, degrees) == pytest.approx(stats.chi2.ppf(level, degrees), rel=tolerance)


def test_quantile_of_a_low_level_is_not_below_zero() -> None:
    assert chi_square_quantile(1e-9, 1) == 0.0


@pytest.mark.parametrize("rows", [(2_000, 2_000), (500, 20_000)])
def test_chance_goes_beyond_its_level_as_rarely_as_it_says(rows: tuple[int, int]) -> None:
    random, shares = np.random.default_rng(0), np.full(10, 0.1)
    level = psi_by_chance(10, rows, 0.05)
    pairs = zip(random.multinomial(rows[0], shares, 4_000), random.multinomial(rows[1], shares, 4_000), strict=True)
    beyond = np.mean([psi(one, other) > level for one, other in pairs])
    assert 0.03 < beyond < 0.06


def test_few_rows_are_beyond_the_rule_of_thumb_by_chance_alone() -> None:
    random, shares = np.random.default_rng(0), np.full(10, 0.1)
    pairs = zip(random.multinomial(100, shares, 1_000), random.multinomial(100, shares, 1_000), strict=True)
    found = np.array([psi(one, other) for one, other in pairs])
    assert np.mean(found > 0.2) > 0.1
    assert np.mean(found > psi_by_chance(10, (100, 100))) < 0.005


def test_one_bin_leaves_nothing_to_chance() -> None:
    assert psi_by_chance(1, (5, 5)) == 0.0


def test_limit_of_a_normal_is_that_of_scipy() -> None:
    assert normal_limit() == pytest.approx(stats.norm.ppf(1 - FALSE_ALARM_RATE / 2))


def test_difference_of_shares_is_judged_by_the_pooled_share() -> None:
    pooled = (0.2 * 300 + 0.4 * 100) / 400
    error = math.sqrt(pooled * (1 - pooled) * (1 / 300 + 1 / 100))
    assert share_by_chance((0.2, 0.4), (300, 100)) == pytest.approx(stats.norm.ppf(0.9995) * error)


def test_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=300).round(1).astype(np.float32)  # with ties
    other = random.normal(0.5, 2.0, size=70).round(1).astype(np.float32)
    assert ks_distance(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic)
