"""Lookups and sparse updates of embedding tables, beside what numpy computes."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from polyrank.embedding_rows import coalesce_rows, empty_table, gather_rows, update_rowwise_adagrad
from polyrank.errors import ConfigError, DataError

Floats = NDArray[np.float32]
LR = 0.1
EPSILON = 1e-8
WIDTHS = [1, 8, 16, 17, 32, 64]
MANY = 100_000  # enough for several threads


def floats(*shape: int) -> Floats:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def skewed_rows(count: int, num_rows: int) -> NDArray[np.int64]:
    return (np.random.default_rng(1).pareto(1.05, count) % num_rows).astype(np.int64)


def expected_update(
    table: Floats, sums: Floats, rows: NDArray[np.int64], values: Floats, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights, squares, gradient = table.astype(np.float64), sums.astype(np.float64), scale * values.astype(np.float64)
    squares[rows] += (gradient**2).mean(axis=1)
    weights[rows] -= LR * gradient / (np.sqrt(squares[rows]) + EPSILON)[:, None]
    return weights, squares


@pytest.mark.parametrize("num_rows", [1, 3, 100_000])
def test_empty_table_starts_on_a_cache_line(num_rows: int) -> None:
    table = empty_table(num_rows, 17)
    assert table.shape == (num_rows, 17)
    assert table.dtype == np.float32
    assert table.flags.c_contiguous
    assert table.flags.writeable
    assert table.ctypes.data % 64 == 0


def test_table_larger_than_memory_is_refused() -> None:
    with pytest.raises(MemoryError, match="Unable to allocate"):
        empty_table(2**50, 16)


@pytest.mark.parametrize("width", WIDTHS)
def test_gathered_rows_equal_indexing(width: int) -> None:
    table, rows, out = floats(1000, width), skewed_rows(300, 1000), np.empty((300, width), np.float32)
    gather_rows(table, rows, out)
    assert_array_equal(out, table[rows])


@pytest.mark.parametrize("width", WIDTHS)
def test_equal_rows_are_added(width: int) -> None:
    rows, values = np.random.default_rng(2).integers(500, size=3000), floats(3000, width)  # about six of each
    unique, sums = coalesce_rows(rows, values)
    expected = np.zeros((500, width))
    np.add.at(expected, rows, values.astype(np.float64))
    assert_allclose(sums, expected[unique], rtol=1e-6, atol=1e-6)


def test_sums_are_those_of_float32_in_order_of_occurrence() -> None:
    rows, values = skewed_rows(3000, 500), floats(3000, 16)
    unique, sums = coalesce_rows(rows, values)
    expected = np.zeros((500, 16), np.float32)
    np.add.at(expected, rows, values)
    assert_array_equal(sums, expected[unique])


def test_unique_rows_come_in_order_of_first_occurrence() -> None:
    rows = skewed_rows(3000, 500)
    unique, _ = coalesce_rows(rows, floats(3000, 1))
    _, first = np.unique(rows, return_index=True)
    assert_array_equal(unique, rows[np.sort(first)])


def test_rows_of_any_number_are_coalesced() -> None:
    rows = np.array([-(2**63), 2**63 - 1, 1, 1 + 2**32, -(2**63), 1])
    unique, sums = coalesce_rows(rows, np.array([[1], [2], [4], [8], [16], [32]], np.float32))
    assert unique.tolist() == [-(2**63), 2**63 - 1, 1, 1 + 2**32]
    assert sums.tolist() == [[17], [2], [36], [8]]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_update_equals_the_formula(width: int, scale: float) -> None:
    table, sums, rows = floats(500, width), np.abs(floats(500)), np.random.default_rng(2).permutation(500)[:300]
    values = floats(300, width)
    weights, squares = expected_update(table, sums, rows, values, scale)
    update_rowwise_adagrad(table, sums, rows, values, lr=LR, epsilon=EPSILON, scale=scale)
    assert_allclose(table, weights, rtol=1e-6, atol=1e-6)
    assert_allclose(sums, squares, rtol=1e-6)


def test_other_rows_stay_bit_equal() -> None:
    table, sums = floats(9, 5), np.ones(9, np.float32)
    before = table.copy()
    update_rowwise_adagrad(table, sums, np.array([4]), floats(1, 5), lr=LR, epsilon=EPSILON)
    assert_array_equal(np.delete(table, 4, 0), np.delete(before, 4, 0))
    assert np.flatnonzero(sums != 1).tolist() == [4]


def test_row_without_gradient_stays_bit_equal() -> None:
    table, sums = floats(3, 5), np.zeros(3, np.float32)
    before = table.copy()
    update_rowwise_adagrad(table, sums, np.arange(3), np.zeros((3, 5), np.float32), lr=LR, epsilon=EPSILON)
    assert_array_equal(table, before)
    assert sums.tolist() == [0, 0, 0]


@pytest.mark.parametrize("threads", [2, 3, 100])
def test_gathered_rows_are_the_same_on_any_number_of_threads(threads: int) -> None:
    table, rows, out = floats(1000, 3), skewed_rows(MANY, 1000), np.empty((MANY, 3), np.float32)
    gather_rows(table, rows, out, threads=threads)
    assert_array_equal(out, table[rows])


@pytest.mark.parametrize("threads", [2, 3, 100])
def test_update_is_the_same_on_any_number_of_threads(threads: int) -> None:
    rows, values = np.random.default_rng(2).permutation(MANY), floats(MANY, 3)
    one, two = (floats(MANY, 3), np.ones(MANY, np.float32)), (floats(MANY, 3), np.ones(MANY, np.float32))
    update_rowwise_adagrad(*one, rows, values, lr=LR, epsilon=EPSILON)
    update_rowwise_adagrad(*two, rows, values, lr=LR, epsilon=EPSILON, threads=threads)
    assert_array_equal(one[0], two[0])
    assert_array_equal(one[1], two[1])


def test_batch_without_rows_changes_nothing() -> None:
    none, no_values = np.empty(0, np.int64), np.empty((0, 4), np.float32)
    table, sums = floats(2, 4), np.ones(2, np.float32)
    before = table.copy()
    gather_rows(table, none, no_values)
    update_rowwise_adagrad(table, sums, none, no_values, lr=LR, epsilon=EPSILON)
    unique, added = coalesce_rows(none, no_values)
    assert_array_equal(table, before)
    assert (unique.shape, added.shape) == ((0,), (0, 4))


@pytest.mark.parametrize(("row", "at"), [(-1, 2), (10, 0), (-(2**63), 1), (2**63 - 1, 2)])
def test_row_out_of_range_is_refused_before_anything_is_written(row: int, at: int) -> None:
    rows = np.array([3, 4, 5])
    rows[at] = row
    table, sums, out = np.ones((10, 2), np.float32), np.ones(10, np.float32), np.ones((3, 2), np.float32)
    message = rf"^rows must be in \[0, 10\), the rows of table, got {row} at position {at}$"
    with pytest.raises(DataError, match=message):
        gather_rows(table, rows, out)
    with pytest.raises(DataError, match=message):
        update_rowwise_adagrad(table, sums, rows, out, lr=LR, epsilon=EPSILON)
    assert [array.min() for array in (table, sums, out)] == [1, 1, 1]


class Arguments(dict[str, Any]):
    """Arguments that fit, but for those given."""

    def __init__(self, **wrong: Any) -> None:
        fitting = {
            "table": np.ones((4, 2), np.float32),
            "sums": np.ones(4, np.float32),
            "rows": np.array([1, 2, 3]),
            "values": np.ones((3, 2), np.float32),
            "out": np.ones((3, 2), np.float32),
            "threads": 1,
            "lr": LR,
            "epsilon": EPSILON,
            "scale": 1.0,
        }
        super().__init__(fitting | wrong)

    def of(self, *names: str) -> dict[str, Any]:
        return {name: self[name] for name in names}


def gather(**wrong: Any) -> None:
    gather_rows(**Arguments(**wrong).of("table", "rows", "out", "threads"))


def update(**wrong: Any) -> None:
    update_rowwise_adagrad(
        **Arguments(**wrong).of("table", "sums", "rows", "values", "lr", "epsilon", "scale", "threads")
    )


def coalesce(**wrong: Any) -> None:
    coalesce_rows(**Arguments(**wrong).of("rows", "values"))


FROZEN = np.ones((4, 2), np.float32)
FROZEN.flags.writeable = False
UNALIGNED = np.frombuffer(b"\0" * 33, np.uint8)[1:].view(np.int64)[:3]
NO_ARRAY = "must be a numpy array of int64, got list (view a CPU tensor with .numpy())"
WRONG = {
    "no array": ("rows", [1, 2, 3], NO_ARRAY),
    "other dtype": ("rows", np.array([1, 2, 3], np.int32), "must have dtype int64, got int32"),
    "other byte order": ("rows", np.array([1, 2, 3], ">i8"), "must have dtype int64, got >i8"),
    "dimensions": ("rows", np.array([[1, 2, 3]]), "must have 1 dimension, got 2"),
    "strides": ("rows", np.arange(6)[::2], "must be contiguous and aligned (copy it with numpy.ascontiguousarray)"),
    "alignment": ("rows", UNALIGNED, "must be contiguous and aligned (copy it with numpy.ascontiguousarray)"),
}
WRONG_TABLE = {
    "table of doubles": ("table", np.ones((4, 2)), "must have dtype float32, got float64"),
    "table without columns": ("table", np.ones((4, 0), np.float32), "must have 1 or more columns, got 0"),
    "flat table": ("table", np.ones(4, np.float32), "must have 2 dimensions, got 1"),
    "threads": ("threads", 0, "must be 1 or above, got 0"),
}
WRONG_GATHER = {
    "read-only out": ("out", FROZEN[:3], "must be writable"),
    "short out": ("out", np.ones((2, 2), np.float32), "must have 3 rows, as rows has, got 2"),
    "narrow out": ("out", np.ones((3, 1), np.float32), "must have 2 columns, as table has, got 1"),
}
WRONG_UPDATE = {
    "read-only table": ("table", FROZEN, "must be writable"),
    "short sums": ("sums", np.ones(3, np.float32), "must have 4 rows, as table has, got 3"),
    "short values": ("values", np.ones((2, 2), np.float32), "must have 3 rows, as rows has, got 2"),
    "narrow values": ("values", np.ones((3, 1), np.float32), "must have 2 columns, as table has, got 1"),
}
WRONG_COALESCE = {
    "short values": ("values", np.ones((2, 2), np.float32), "must have 3 rows, as rows has, got 2"),
    "no columns": ("values", np.ones((3, 0), np.float32), "must have 1 or more columns, got 0"),
}


def cases(wrong: dict[str, tuple[str, Any, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "value", "message"), wrong.values(), ids=wrong.keys())


@cases(WRONG | WRONG_TABLE | WRONG_GATHER)
def test_wrong_arguments_of_gather_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(f'{name} {message}')}$"):
        gather(**{name: value})


@cases(WRONG | WRONG_TABLE | WRONG_UPDATE)
def test_wrong_arguments_of_update_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(f'{name} {message}')}$"):
        update(**{name: value})


@cases(WRONG | WRONG_COALESCE)
def test_wrong_arguments_of_coalesce_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(f'{name} {message}')}$"):
        coalesce(**{name: value})


def test_output_in_the_table_is_refused() -> None:
    table = np.ones((4, 2), np.float32)
    with pytest.raises(DataError, match=r"^out must share no memory with table$"):
        gather(table=table, out=table[1:])


@pytest.mark.parametrize("name", ["sums", "values"])
def test_update_of_shared_memory_is_refused(name: str) -> None:
    table = np.ones((4, 2), np.float32)
    parts = {"sums": table.reshape(-1)[4:], "values": table[1:]}
    with pytest.raises(DataError, match=rf"^table must share no memory with {name}$"):
        update(table=table, **{name: parts[name]})


@pytest.mark.parametrize("name", ["lr", "epsilon", "scale"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} must be finite, got {value}$"):
        update(**{name: value})


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-60])
def test_epsilon_that_divides_by_zero_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^epsilon must be above 0 in float32, got {value}$"):
        update(epsilon=value)
