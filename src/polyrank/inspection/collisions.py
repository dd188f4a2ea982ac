"""Distinct values that share a bucket of an embedding table."""

import math

import numpy as np
from numpy.typing import NDArray

from polyrank.features import MAX_BUCKETS

from .findings import Table

ROOM = 4
FEW_VALUES = 10
MAX_COLLISIONS = 0.3
_ROUND: list[int] = [step * 10**power for power in range(2, 10) for step in (1, 2, 5) if step * 10**power < MAX_BUCKETS]


def expected_collisions(distinct: int, num_buckets: int) -> float:
    """Return the share of distinct values that a random hash puts beside another: 1 - (1 - 1/B)^(n - 1).

    >>> round(expected_collisions(943, 20_000), 4)
    0.046
    """
    if distinct <= 1:
        return 0.0
    return 1.0 if num_buckets == 1 else -math.expm1((distinct - 1) * math.log1p(-1 / num_buckets))


def measured_collisions(fingerprints: NDArray[np.int64], num_buckets: int) -> float:
    """Return the share of distinct fingerprints [n] that share a bucket with another."""
    if len(fingerprints) == 0:
        return 0.0
    _, counts = np.unique(fingerprints % num_buckets, return_counts=True)
    return 1.0 - float((counts == 1).sum()) / len(fingerprints)


def suggested_buckets(fingerprints: NDArray[np.int64]) -> int:
    """Return 100, 200, 500, 1,000 and so on: the first of `ROOM` rows for each distinct value, few of which collide."""
    for size in _ROUND:
        allowed = 0.0 if len(fingerprints) <= FEW_VALUES else MAX_COLLISIONS
        if size >= ROOM * len(fingerprints) and measured_collisions(fingerprints, size) <= allowed:
            return size
    return _ROUND[-1]


def table_of(fingerprints: NDArray[np.int64], num_buckets: int, *, is_hashed: bool = True) -> Table:
    """Describe a table whose values have these distinct fingerprints [n], or are ids with a row each."""
    return Table(
        distinct=len(fingerprints),
        num_buckets=num_buckets,
        expected_collisions=expected_collisions(len(fingerprints), num_buckets) if is_hashed else 0.0,
        collisions=measured_collisions(fingerprints, num_buckets) if is_hashed else 0.0,
        suggested_buckets=suggested_buckets(fingerprints),
    )


def proposed_table(fingerprints: NDArray[np.int64]) -> tuple[int, str]:
    """Return how many buckets to give values with these distinct fingerprints [n], and why."""
    buckets = suggested_buckets(fingerprints)
    share = expected_collisions(len(fingerprints), buckets)
    return buckets, f"{len(fingerprints):,} distinct values, of which {share:.1%} are expected to share a bucket"
