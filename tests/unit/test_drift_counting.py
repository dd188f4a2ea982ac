"""Values that pass by are counted exactly, and beyond the limit as documented."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from polyrank.drift.counting import Commonest, Counts, SampledValues


def fill(counts: Counts, values: NDArray[np.int64], pieces: int = 7) -> None:
    for part in np.array_split(values, pieces):
        counts.add(*np.unique(part, return_counts=True))


def drawn(size: int, values: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, values, size).astype(np.int64)


@pytest.mark.parametrize("new", [Commonest, SampledValues])
def test_values_within_the_limit_are_counted_exactly(new: type[Counts]) -> None:
    values, counts = drawn(5_000, 300), new(300)
    fill(counts, values)
    found, times = counts.found
    assert dict(zip(found.tolist(), times.tolist(), strict=True)) == Counter(values.tolist())
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("new", [Commonest, SampledValues])
def test_never_more_values_than_the_limit_are_kept(new: type[Counts]) -> None:
    counts = new(100)
    fill(counts, np.arange(10_000, dtype=np.int64))
    assert 0 < len(counts.found[0]) <= 100


def test_common_values_outlive_many_rare_ones() -> None:
    common = np.repeat(np.arange(10, dtype=np.int64), 500)
    values = np.concatenate([common, np.arange(100, 20_000, dtype=np.int64)])
    counts = Commonest(1_000)
    fill(counts, np.random.default_rng(0).permutation(values), pieces=50)
    found, times = counts.found
    assert dict(zip(found[:10].tolist(), times[:10].tolist(), strict=True)) == dict.fromkeys(range(10), 500)


def test_sampled_values_have_all_their_counts() -> None:
    values, counts = drawn(100_000, 5_000), SampledValues(1_000)
    fill(counts, values, pieces=60)
    found, times = counts.found
    exact = Counter(values.tolist())
    assert counts.level == 3
    assert times.tolist() == [exact[value] for value in found.tolist()]


def test_samples_of_one_level_hold_the_same_values() -> None:
    few, many = SampledValues(1_000), SampledValues(100)
    fill(few, np.arange(500, dtype=np.int64))
    fill(many, np.arange(500, dtype=np.int64))
    assert few.level == 0
    assert many.level > 0
    assert few.at(many.level)[0].tolist() == many.found[0].tolist()


def test_sample_of_ids_in_a_row_is_an_even_share() -> None:
    counts = SampledValues(10_000)
    fill(counts, np.arange(80_000, dtype=np.int64))
    assert len(counts.found[0]) == pytest.approx(80_000 / 2**counts.level, rel=0.05)
