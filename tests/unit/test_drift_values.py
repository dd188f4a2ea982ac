"""Readings of values, and how far two are apart."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from polyrank.drift import values as drift_values
from polyrank.drift.counting import SampledValues
from polyrank.drift.stability import psi, without_rare
from polyrank.drift.values import ValueReading, ValuesApart, moves


def reading_of(values: NDArray[np.int64] | list[int], missing: int = 0) -> ValueReading:
    reading, values = ValueReading(), np.asarray(values, np.int64)
    reading.add(values, len(values), 0)
    reading.add(np.empty(0, np.int64), missing, missing)
    return reading


def zipf(size: int, seed: int) -> NDArray[np.int64]:
    shares = 1 / np.arange(1, 301)
    return np.random.default_rng(seed).choice(300, size, p=shares / shares.sum()).astype(np.int64)


def test_index_is_over_common_values_others_and_missing() -> None:
    one, other = zipf(4_000, 0), zipf(4_000, 1) // 2
    counts = Counter(one.tolist()), Counter(other.tolist())
    together = counts[0] + counts[1]
    top = sorted(together, key=lambda value: (-together[value], value))[:100]
    bins = [
        np.array([*(side[value] for value in top), sum(side.values()) - sum(side[value] for value in top), missing])
        for side, missing in zip(counts, (500, 100), strict=True)
    ]
    assert ValuesApart(reading_of(one, 500), reading_of(other, 100)).psi == pytest.approx(psi(*without_rare(*bins)))


def test_samples_of_one_distribution_are_not_told_apart() -> None:
    for seed in range(0, 40, 2):
        apart = ValuesApart(reading_of(zipf(1_000, seed)), reading_of(zipf(1_000, seed + 1)))
        assert apart.psi < apart.psi_by_chance


def test_missing_rows_can_be_left_out() -> None:
    sides = reading_of([1, 2] * 50, 0), reading_of([1, 2] * 50, 300)
    assert ValuesApart(*sides).psi > 0.5
    assert ValuesApart(*sides, with_missing=False).psi == 0.0


def test_share_of_new_values_is_of_all_that_are_there() -> None:
    apart = ValuesApart(reading_of([1, 2, 3]), reading_of([1, 1, 4, 4, 5]))
    assert apart.new == pytest.approx(3 / 5)


def test_new_values_are_expected_where_many_are_seen_once() -> None:
    assert ValuesApart(reading_of([1, 2, 3, 4, 4, 4]), reading_of([1])).expected_new == pytest.approx(3 / 6)


def test_new_values_are_estimated_by_a_sample_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_values, "SampledValues", lambda: SampledValues(2_000))
    known = np.arange(20_000, dtype=np.int64)
    current = np.arange(15_000, 35_000, dtype=np.int64)
    apart = ValuesApart(reading_of(known), reading_of(current))
    assert apart.new == pytest.approx(0.75, abs=0.04)
    assert apart.expected_new == 1.0


def test_values_that_moved_most_come_first() -> None:
    one, other = [1] * 50 + [2] * 30 + [3] * 20, [1] * 45 + [2] * 5 + [4] * 50
    found = list(moves(reading_of(one), reading_of(other)))
    assert found == [(4, 0.0, 0.5), (2, 0.3, 0.05), (3, 0.2, 0.0)]


def test_same_values_did_not_move() -> None:
    assert list(moves(reading_of([1, 2, 2]), reading_of([1, 2, 2]))) == []


def test_columns_without_a_value_are_not_apart() -> None:
    apart = ValuesApart(reading_of([], 10), reading_of([], 3))
    assert (apart.psi, apart.psi_by_chance, apart.new, apart.expected_new) == (0.0, 0.0, 0.0, 0.0)
