"""The population stability index, for any counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.drift.stability import psi, psi_by_chance

COUNTS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30).filter(
    lambda pairs: any(one for one, _ in pairs) and any(other for _, other in pairs)
)


def sides(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one for one, _ in pairs], float), np.array([other for _, other in pairs], float)


def plain_psi(pairs: list[tuple[int, int]]) -> float:
    """Return the index as the docstring describes it, bin by bin."""
    kept = [pair for pair in pairs if sum(pair)]
    total = sum(map(sum, kept))
    added = [len(kept) * sum(pair) / total for pair in kept]
    ends = [sum(pair[side] for pair in kept) + len(kept) for side in (0, 1)]
    shares = [[(pair[side] + more) / ends[side] for pair, more in zip(kept, added, strict=True)] for side in (0, 1)]
    return math.fsum((q - p) * math.log(q / p) for p, q in zip(*shares, strict=True))


@given(COUNTS)
def test_index_is_the_plain_formula(pairs: list[tuple[int, int]]) -> None:
    assert psi(*sides(pairs)) == pytest.approx(plain_psi(pairs), rel=1e-9, abs=1e-12)


@given(COUNTS)
def test_index_is_the_same_in_either_order(pairs: list[tuple[int, int]]) -> None:
    one, other = sides(pairs)
    assert psi(one, other) == pytest.approx(psi(other, one), rel=1e-12)


@given(COUNTS)
def test_index_is_never_negative(pairs: list[tuple[int, int]]) -> None:
    assert psi(*sides(pairs)) >= 0.0


@given(COUNTS)
def test_index_of_the_same_counts_is_zero(pairs: list[tuple[int, int]]) -> None:
    one, _ = sides(pairs)
    assert psi(one, one) == 0.0


@given(st.integers(2, 200), st.integers(1, 10**7), st.integers(1, 10**7))
def test_chance_takes_more_rows_less_far(bins: int, rows: int, others: int) -> None:
    assert psi_by_chance(bins, (rows + 1, others)) < psi_by_chance(bins, (rows, others))
