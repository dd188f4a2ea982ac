"""Rows of ids, and what each counts in the sum of its feature, beside the same in numpy and in PyTorch's operators."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from polyrank.embedding_rows import PooledColumns, find_rows
from polyrank.errors import DataError
from polyrank.models.embedding import table_rows
from polyrank.models.pooling import pool

MOST = np.iinfo(np.int64).max
NUM_BUCKETS = np.array([1, 10, 1_000_003, 2**40, 7, 7, 7, 7], np.int64)
STARTS = np.array([0, 2, 13, 2_000_000, 5, 5, 5, 5], np.int64)
LASTS = np.array([MOST, 9, MOST, MOST, 6, 6, 6, 6], np.int64)


def ids_of(num_rows: int) -> NDArray[np.int64]:
    """Ids of every size, those below 0 and those around the last among them."""
    random = np.random.default_rng(num_rows)
    ids: NDArray[np.int64] = random.integers(0, MOST, (num_rows, 8)) >> random.integers(0, 63, (num_rows, 8))
    ids[:, 4:] %= 9
    ids[random.random(ids.shape) < 0.2] = -1
    return ids


@pytest.mark.parametrize("num_rows", [0, 1, 255, 256, 257, 2000])
def test_rows_are_those_of_the_graph(num_rows: int) -> None:
    ids = ids_of(num_rows)
    rows, factors = find_rows(ids, NUM_BUCKETS, STARTS, LASTS)
    expected, _ = table_rows(*map(torch.from_numpy, (ids, NUM_BUCKETS, STARTS, LASTS)))
    np.testing.assert_array_equal(rows, expected.numpy())
    assert factors is None


@pytest.mark.parametrize("threads", [2, 3])
def test_every_number_of_threads_gives_the_same(threads: int) -> None:
    ids, weights = ids_of(20_000), np.random.default_rng(1).random((20_000, 4), np.float32)
    pools = [PooledColumns(4, 4, "mean", 0)]
    one, many = (find_rows(ids, NUM_BUCKETS, STARTS, LASTS, pools, weights, threads=count) for count in (1, threads))
    for found, expected in zip(many, one, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pooling", ["sum", "mean", "sqrtn"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_factors_make_the_pooled_vector_of_the_graph(pooling: Any, *, is_weighted: bool) -> None:
    ids = ids_of(300)
    ids[:5, 4:] = -1
    weights = np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    pools = [PooledColumns(4, 4, pooling, 2 if is_weighted else None)]
    rows, factors = find_rows(ids, NUM_BUCKETS, STARTS, LASTS, pools, weights)
    assert factors is not None
    assert (factors[:, :4] == 1).all()
    vectors = torch.from_numpy(np.random.default_rng(2).normal(size=(13, 3)).astype(np.float32))[rows[:, 4:]]
    present, own = torch.from_numpy(rows[:, 4:] != STARTS[4:]), torch.from_numpy(weights[:, 2:])
    expected = pool(vectors, present, pooling, own if is_weighted else None)
    found = (vectors * torch.from_numpy(factors[:, 4:]).unsqueeze(2)).sum(1)
    assert_allclose(found.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


FITTING: dict[str, Any] = {
    "ids": np.zeros((3, 8), np.int64),
    "num_buckets": NUM_BUCKETS,
    "starts": STARTS,
    "lasts": LASTS,
    "pools": [PooledColumns(4, 4, "mean", 0)],
    "weights": np.ones((3, 4), np.float32),
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "ids of 32 bits": ({"ids": np.zeros((3, 8), np.int32)}, "ids must have dtype int64, got int32"),
    "short lasts": ({"lasts": LASTS[:7]}, "lasts must have 8 rows, as ids has columns, got 7"),
    "no bucket": ({"num_buckets": NUM_BUCKETS * 0}, "num_buckets must be 1 or above, got 0"),
    "start below 0": (
        {"starts": STARTS - 1},
        "starts must be 0 or above, and the rows after them below 2**63, got -1",
    ),
    "start too far on": (
        {"starts": np.array([0] * 7 + [MOST - 1])},
        f"starts must be 0 or above, and the rows after them below 2**63, got {MOST - 1}",
    ),
    "no pooling": ({"pools": [(0, 1, "max", None)]}, 'pools must be of "sum", "mean" or "sqrtn", got "max"'),
    "pool beyond": ({"pools": [(5, 4, "sum", None)]}, "pools must end at 8, the columns of ids, got 4 from 5"),
    "weights beyond": ({"pools": [(4, 4, "sum", 1)]}, "pools must end at 4, the columns of weights, got 4 from 1"),
    "no weights": ({"weights": None}, "pools must end at 0, the columns of weights, got 4 from 0"),
    "no thread": ({"threads": 0}, "threads must be 1 or above, got 0"),
    "short weights": ({"weights": np.ones((2, 4), np.float32)}, "weights must have 3 rows, as ids has, got 2"),
}


@pytest.mark.parametrize(("changed", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        find_rows(**FITTING | changed)
