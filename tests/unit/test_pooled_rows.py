"""Vectors that are rows of a table, or weighted sums of some, beside what numpy computes."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from polyrank.embedding_rows import pool_rows, spread_rows
from polyrank.errors import DataError

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
WIDTHS = [1, 4, 1, 3]
DIMS = [1, 8, 16, 17, 32, 64]
NUM_ROWS = 50


def batch(count: int, seed: int = 0) -> tuple[Rows, Floats]:
    """Draw rows (B, S), and factors of which some are 0."""
    random = np.random.default_rng(seed)
    shape = (count, sum(WIDTHS))
    factors = random.standard_normal(shape) * (random.random(shape) < 0.7)
    return random.integers(0, NUM_ROWS, shape), factors.astype(np.float32)


def floats(*shape: int) -> Floats:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def pooled(table: Floats, rows: Rows, factors: Floats | None, *, threads: int = 1) -> Floats:
    out = np.full((len(rows), len(WIDTHS) * table.shape[1]), np.nan, np.float32)
    pool_rows(table, rows, factors, WIDTHS, out, threads=threads)
    return out


def expected_vectors(table: Floats, rows: Rows, factors: Floats) -> NDArray[np.float64]:
    """Add up in float64."""
    terms = factors.astype(np.float64)[:, :, None] * table.astype(np.float64)[rows]
    return np.concatenate([part.sum(1) for part in np.split(terms, np.cumsum(WIDTHS)[:-1], axis=1)], axis=1)


@pytest.mark.parametrize("dim", DIMS)
def test_vectors_are_weighted_sums(dim: int) -> None:
    table, (rows, factors) = floats(NUM_ROWS, dim), batch(300)
    assert_allclose(pooled(table, rows, factors), expected_vectors(table, rows, factors), rtol=1e-5, atol=1e-5)


def test_vectors_of_one_row_are_copies() -> None:
    table, (rows, _) = floats(NUM_ROWS, 16), batch(300)
    found = pooled(table, rows, None)
    assert_array_equal(found[:, :16], table[rows[:, 0]])
    assert_array_equal(found[:, 32:48], table[rows[:, 5]])


def test_row_that_does_not_count_is_not_read() -> None:
    table, (rows, factors) = floats(NUM_ROWS, 8), batch(300)
    rows[factors == 0] = 7
    table[7] = np.nan
    factors[rows == 7] = 0
    assert np.isfinite(pooled(table, rows, factors)).all()


@pytest.mark.parametrize("threads", [2, 3, 100])
def test_vectors_are_the_same_on_any_number_of_threads(threads: int) -> None:
    table, (rows, factors) = floats(NUM_ROWS, 3), batch(20_000)
    assert_array_equal(pooled(table, rows, factors), pooled(table, rows, factors, threads=threads))


@pytest.mark.parametrize("dim", DIMS)
def test_gradients_go_to_the_rows_that_count(dim: int) -> None:
    rows, factors = batch(300)
    gradients = floats(300, len(WIDTHS) * dim)
    found, values = spread_rows(gradients, rows, factors, WIDTHS)
    assert_array_equal(found, rows[factors != 0])
    owners = np.repeat(gradients.reshape(300, len(WIDTHS), dim), WIDTHS, axis=1)  # (B, S, D)
    assert_array_equal(values, (factors[:, :, None] * owners)[factors != 0])


def test_without_factors_all_rows_count_alike() -> None:
    rows, _ = batch(10)
    gradients = floats(10, len(WIDTHS) * 2)
    found = spread_rows(gradients, rows, None, WIDTHS)
    ones = spread_rows(gradients, rows, np.ones(rows.shape, np.float32), WIDTHS)
    for one, other in zip(found, ones, strict=True):
        assert_array_equal(one, other)


def test_batch_without_rows_has_no_vectors() -> None:
    rows, factors = batch(0)
    assert pooled(floats(NUM_ROWS, 2), rows, factors).shape == (0, 8)
    found, values = spread_rows(np.empty((0, 8), np.float32), rows, factors, WIDTHS)
    assert (found.shape, values.shape) == ((0,), (0, 2))


@pytest.mark.parametrize("row", [-1, NUM_ROWS, -(2**63), 2**63 - 1])
def test_row_out_of_range_is_refused_before_anything_is_written(row: int) -> None:
    rows, factors = batch(3)
    rows[1, 2] = row
    out = np.ones((3, 8), np.float32)
    with pytest.raises(DataError, match=rf"^rows must be in \[0, 50\), the rows of table, got {row} at position 11$"):
        pool_rows(floats(NUM_ROWS, 2), rows, factors, WIDTHS, out)
    assert out.min() == 1


SHAPE = (3, 9)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "rows of one dimension": ({"rows": np.zeros(9, np.int64)}, "rows must have 2 dimensions, got 1"),
    "narrow rows": ({"rows": np.zeros((3, 8), np.int64)}, "rows must have 9 columns, as widths add up to, got 8"),
    "short factors": ({"factors": np.ones((2, 9), np.float32)}, "factors must have 3 rows, as rows has, got 2"),
    "narrow factors": ({"factors": np.ones((3, 8), np.float32)}, "factors must have 9 columns, as rows has, got 8"),
    "factors of doubles": ({"factors": np.ones(SHAPE)}, "factors must have dtype float32, got float64"),
    "width of 0": ({"widths": [1, 8, 0]}, "widths must be 1 or above, got 0"),
}
WRONG_POOL: dict[str, tuple[dict[str, Any], str]] = {
    "narrow out": (
        {"out": np.ones((3, 7), np.float32)},
        "out must have 8 columns, those of table for each of widths, got 7",
    ),
    "short out": ({"out": np.ones((2, 8), np.float32)}, "out must have 3 rows, as rows has, got 2"),
    "threads": ({"threads": 0}, "threads must be 1 or above, got 0"),
}
WRONG_SPREAD: dict[str, tuple[dict[str, Any], str]] = {
    "short gradients": ({"gradients": np.ones((2, 8), np.float32)}, "gradients must have 3 rows, as rows has, got 2"),
    "odd gradients": (
        {"gradients": np.ones((3, 7), np.float32)},
        "gradients must have as many columns for each of 4 widths, got 7",
    ),
}
FITTING: dict[str, Any] = {"rows": np.zeros(SHAPE, np.int64), "factors": np.ones(SHAPE, np.float32), "widths": WIDTHS}


@pytest.mark.parametrize(("changed", "message"), (WRONG | WRONG_POOL).values(), ids=WRONG | WRONG_POOL)
def test_wrong_arguments_of_pooling_are_refused(changed: dict[str, Any], message: str) -> None:
    out = {"table": np.ones((4, 2), np.float32), "out": np.ones((3, 8), np.float32)}
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        pool_rows(**FITTING | out | changed)


@pytest.mark.parametrize(("changed", "message"), (WRONG | WRONG_SPREAD).values(), ids=WRONG | WRONG_SPREAD)
def test_wrong_arguments_of_spreading_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        spread_rows(**FITTING | {"gradients": np.ones((3, 8), np.float32)} | changed)


def test_vectors_in_the_table_are_refused() -> None:
    table = np.ones((4, 8), np.float32)
    with pytest.raises(DataError, match=r"^out must share no memory with table$"):
        pool_rows(table, np.zeros((1, 1), np.int64), None, [1], table[1:2])


def test_pooling_into_the_factors_is_refused() -> None:
    both = np.ones((4, 2), np.float32)
    table, rows = np.ones((5, 2), np.float32), np.zeros((4, 2), np.int64)
    with pytest.raises(DataError, match=r"^out must share no memory with factors$"):
        pool_rows(table, rows, both, [2], both)
