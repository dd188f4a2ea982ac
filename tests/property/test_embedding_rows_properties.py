"""Embedding rows of any shape equal what numpy computes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from polyrank.embedding_rows import coalesce_rows, gather_rows, update_rowwise_adagrad

WIDTHS = st.integers(1, 70)
HUGE = st.integers(-(2**63), 2**63 - 1)
FEW = st.integers(0, 9)


@st.composite
def batches(draw: st.DrawFn, rows: st.SearchStrategy[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    chosen = np.array(draw(st.lists(rows, max_size=200)), np.int64)
    width = draw(WIDTHS)
    numbers = st.integers(-999, 999).map(lambda number: number / 8)
    return chosen, draw(arrays(np.float32, (len(chosen), width), elements=numbers, fill=numbers))


@given(batches(FEW | HUGE))
def test_coalesced_rows_are_those_of_numpy(batch: tuple[NDArray[np.int64], NDArray[np.float32]]) -> None:
    rows, values = batch
    unique, sums = coalesce_rows(rows, values)
    expected, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    expected_sums = np.zeros((len(expected), values.shape[1]), np.float32)
    np.add.at(expected_sums, inverse, values)
    order = np.argsort(first)
    assert_array_equal(unique, expected[order])
    assert_array_equal(sums, expected_sums[order])


@given(batches(FEW))
def test_gathered_rows_are_those_of_numpy(batch: tuple[NDArray[np.int64], NDArray[np.float32]]) -> None:
    rows, out = batch
    table = np.arange(10 * out.shape[1], dtype=np.float32).reshape(10, -1)
    gather_rows(table, rows, out)
    assert_array_equal(out, table[rows])


@given(batches(FEW), st.floats(-2, 2, width=32))
def test_update_is_that_of_numpy(batch: tuple[NDArray[np.int64], NDArray[np.float32]], scale: float) -> None:
    rows, values = coalesce_rows(*batch)
    table, sums = np.ones((10, values.shape[1]), np.float32), np.ones(10, np.float32)
    gradient = scale * values.astype(np.float64)
    squares = 1 + (gradient**2).mean(axis=1)
    update_rowwise_adagrad(table, sums, rows, values, lr=0.5, epsilon=1e-8, scale=scale)
    assert_allclose(sums[rows], squares, rtol=1e-5)
    assert_allclose(table[rows], 1 - 0.5 * gradient / np.sqrt(squares)[:, None], rtol=1e-5, atol=1e-5)
