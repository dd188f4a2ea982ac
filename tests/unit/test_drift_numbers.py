"""Readings of numbers: moments, samples, bins, and how far two are apart."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from polyrank.drift import numbers as drift_numbers
from polyrank.drift.numbers import NumberReading, NumbersApart
from polyrank.drift.stability import psi


def reading_of(values: NDArray[np.floating] | list[float], width: int = 1, pieces: int = 3) -> NumberReading:
    reading = NumberReading(width)
    for part in np.array_split(np.asarray(values, np.float32).reshape(-1, width), pieces):
        reading.add(part)
    return reading


def normal(size: int, mean: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(mean, 1.0, size)


def test_moments_in_pieces_are_those_of_the_whole() -> None:
    values = normal(1_000, 1e4).astype(np.float32)
    side = reading_of(values, pieces=13).side()
    assert side.mean == pytest.approx(values.mean(dtype=np.float64))
    assert side.sd == pytest.approx(values.std(dtype=np.float64))


def test_quantiles_are_those_of_the_rows() -> None:
    values = normal(1_000).astype(np.float32)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    expected = {f"{level:g}": pytest.approx(np.quantile(values, level), abs=1e-6) for level in levels}
    assert reading_of(values).side().quantiles == expected


def test_what_is_not_finite_is_missing() -> None:
    side = reading_of([1.0, np.nan, np.inf, -np.inf, 3.0]).side()
    assert (side.missing, side.mean) == (0.6, 2.0)


def test_column_without_a_number_has_no_mean() -> None:
    side = reading_of([np.nan, np.nan]).side()
    assert (side.missing, side.mean, side.sd, side.quantiles) == (1.0, None, None, {})


def test_columns_without_a_number_are_not_apart() -> None:
    apart = NumbersApart(reading_of([np.nan] * 5), reading_of([np.nan] * 9))
    assert (apart.psi, apart.ks) == (0.0, None)


def test_column_that_lost_all_its_numbers_is_far_apart() -> None:
    for sides in ((normal(500), np.full(500, np.nan)), (np.full(500, np.nan), normal(500))):
        apart = NumbersApart(*map(reading_of, sides))
        assert apart.psi > 5.0
        assert apart.ks is None


def test_index_is_that_of_the_deciles_of_the_reference() -> None:
    one, other = normal(2_000).astype(np.float32), normal(1_500, 0.5, seed=1).astype(np.float32)
    edges = np.concatenate([[-np.inf], np.quantile(one, np.arange(1, 10) / 10, method="lower"), [np.inf]])
    bins = [np.append(np.histogram(side, edges)[0], 0.0) for side in (one, other)]
    apart = NumbersApart(reading_of(one), reading_of(other))
    assert apart.psi == pytest.approx(psi(*bins))
    assert apart.ks == pytest.approx(stats.ks_2samp(one, other).statistic)


def test_missing_rows_have_a_bin_of_their_own() -> None:
    values = normal(1_000)
    holed = np.where(np.arange(1_000) % 2 == 0, np.nan, values)
    assert NumbersApart(reading_of(values), reading_of(holed)).psi > 0.5
    assert NumbersApart(reading_of(values), reading_of(holed), with_missing=False).psi < 0.05


@pytest.mark.parametrize("moved", [4.0, 6.0])
def test_constant_that_becomes_another_is_far_apart(moved: float) -> None:
    apart = NumbersApart(reading_of([5.0] * 300), reading_of([moved] * 300))
    assert apart.psi > 5.0
    assert apart.ks == 1.0


def test_few_numbers_have_a_bin_each() -> None:
    one = np.repeat([0.0, 1.0, 2.0], [800, 150, 50])
    other = np.repeat([0.0, 1.0, 2.0], [800, 50, 150])
    expected = psi(np.array([800.0, 150.0, 50.0]), np.array([800.0, 50.0, 150.0]))
    assert NumbersApart(reading_of(one), reading_of(other)).psi == pytest.approx(expected)


def test_number_of_many_rows_has_a_bin_of_its_own() -> None:
    one = np.concatenate([np.zeros(500), np.linspace(1, 2, 500)])
    other = np.concatenate([np.full(500, 0.5), np.linspace(1, 2, 500)])
    assert NumbersApart(reading_of(one), reading_of(other)).psi > 3.0


def test_vector_is_judged_by_the_column_that_moved_most() -> None:
    one, other = normal(6_000).reshape(-1, 4), normal(6_000, seed=1).reshape(-1, 4)
    other[:, 2] += 1.0
    apart = NumbersApart(reading_of(one, 4), reading_of(other, 4))
    alone = NumbersApart(reading_of(one[:, 2]), reading_of(other[:, 2]))
    assert (apart.column, apart.psi, apart.ks) == (2, alone.psi, alone.ks)
    assert apart.psi_by_chance > alone.psi_by_chance  # of four the furthest


def test_vector_of_which_a_number_is_missing_is_missing() -> None:
    assert reading_of([1.0, 2.0, np.nan, 2.0], 2).side().missing == 0.5


def test_many_rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_numbers, "SAMPLE_ROWS", 2_000)
    one, other = normal(20_000), normal(30_000, 1.0, seed=1)
    exact = psi(*(np.histogram(side, _decile_edges(one))[0].astype(float) for side in (one, other)))
    first, second = reading_of(one), reading_of(other)
    apart = NumbersApart(first, second)
    assert len(first.sample()) == len(second.sample()) == 2_000
    assert apart.psi == pytest.approx(exact, rel=0.15)
    assert apart.psi_by_chance == pytest.approx(stats.chi2.ppf(0.999, 9) * 2 / 2_000, rel=0.01)


def test_sample_of_the_same_rows_is_not_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_numbers, "SAMPLE_ROWS", 100)
    values = normal(5_000)
    apart = NumbersApart(reading_of(values), reading_of(values))
    assert (apart.psi, apart.ks) == (0.0, 0.0)


def _decile_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[-np.inf], np.quantile(values, np.arange(1, 10) / 10), [np.inf]])
