"""Rows of embedding tables: lookups, and sparse updates that cost what a batch touches, not what a table holds.

A table is float32 [R, D] of any size; a batch names N of its rows. Arrays are numpy's, contiguous and in place; a CPU
tensor of PyTorch is viewed with `.numpy()`. Results are the same bits on every processor and for every number of
threads.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.errors import ConfigError, DataError

from . import _native

_T = TypeVar("_T")
_LINE_BYTES = 64


def empty_table(num_rows: int, dim: int) -> NDArray[np.float32]:
    """Return float32 [num_rows, dim] whose content is undefined, in memory that suits the lookups of large tables.

    It starts on a cache line, so that a row of 16 columns is one line and not two, and lies in huge pages where the
    system gives them to programs that ask, as numpy does for large arrays: a row of a table of a gigabyte is then found
    without a walk through the page tables.

    Raises:
        MemoryError: the system has not that much.
    """
    num_bytes = num_rows * dim * np.dtype(np.float32).itemsize
    memory = np.empty(num_bytes + _LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % _LINE_BYTES
    return memory[start : start + num_bytes].view(np.float32).reshape(num_rows, dim)


class PooledColumns(NamedTuple):
    """The columns of a feature of many values, whose rows are added up.

    Attributes:
        first: of as many columns of a batch as `width` says.
        width: 1 or more.
        pooling: `sum` Σwv, `mean` Σwv / Σw, or `sqrtn` Σwv / √Σw².
        first_weight: of as many columns of the weights w; None where each value weighs 1.
    """

    first: int
    width: int
    pooling: str
    first_weight: int | None = None


def find_rows(  # noqa: PLR0913 (ids, what says where they lie, and what weighs them)
    ids: NDArray[np.int64],
    num_buckets: NDArray[np.int64],
    starts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    pools: Sequence[PooledColumns] = (),
    weights: NDArray[np.float32] | None = None,
    *,
    threads: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Return the row of each id of a batch, and what it is multiplied with before those of a feature are added up.

    An id that is there has the row `start + 1 + id mod num_buckets`, any other that of "missing", `start`, which counts
    0 times in a sum. What would be divided by 0 is divided by 1; `mean` and `sqrtn` take weights below 0 for 0.

    >>> one = np.array([1, 1])
    >>> find_rows(np.array([[12, -1]]), 10 * one, 100 * one, 99 * one, [PooledColumns(0, 2, "mean")])
    (array([[103, 100]]), array([[1., 0.]], dtype=float32))

    Args:
        ids: int64 [B, S].
        num_buckets: int64 [S], 1 or above.
        starts: int64 [S], 0 or above.
        lasts: int64 [S], the highest ids that are there; the lowest is 0.
        pools: columns of ids that are added up.
        weights: float32 [B, W], without NaN.
        threads: how many share the work, where there are 32,768 ids for each.

    Returns:
        int64 [B, S], and float32 [B, S], 1 for what is in no pool; None without pools.

    Raises:
        DataError: an array is not as described.
    """
    return _checked(_native.find_rows, ids, num_buckets, starts, lasts, pools, weights, threads)


def gather_rows(
    table: NDArray[np.float32], rows: NDArray[np.int64], out: NDArray[np.float32], *, threads: int = 1
) -> None:
    """Copy `table[rows]` to `out`.

    Args:
        table: float32 [R, D].
        rows: int64 [N], each in [0, R).
        out: float32 [N, D], apart from both.
        threads: how many share the work, where there are 32,768 rows for each.

    Raises:
        DataError: a row is out of range, or an array is not as described; nothing is written.
    """
    _checked(_native.gather_rows, table, rows, out, threads)


def pool_rows(
    table: NDArray[np.float32],
    rows: NDArray[np.int64],
    factors: NDArray[np.float32] | None,
    widths: Sequence[int],
    out: NDArray[np.float32],
    *,
    threads: int = 1,
) -> None:
    """Write the embedding vectors of a batch side by side, each one row of the table or the weighted sum of some.

    >>> out = np.empty((1, 4), np.float32)
    >>> table = np.array([[0, 0], [1, 2], [3, 4]], np.float32)
    >>> pool_rows(table, np.array([[1, 1, 2]]), np.array([[1, 0.5, 0.5]], np.float32), [1, 2], out)
    >>> out.tolist()
    [[1.0, 2.0, 2.0, 3.0]]

    Args:
        table: float32 [R, D].
        rows: int64 [B, S], each in [0, R).
        factors: float32 [B, S], what each row is multiplied with; None is 1 for all. Of a factor of 0 the row is not
            read.
        widths: of F vectors, how many of the S columns each adds up, in their order.
        out: float32 [B, F * D], apart from the others.
        threads: how many share the work, where there are 32,768 rows for each.

    Raises:
        DataError: a row is out of range, or an array is not as described; nothing is written.
    """
    _checked(_native.pool_rows, table, rows, factors, widths, out, threads)


def spread_rows(
    gradients: NDArray[np.float32], rows: NDArray[np.int64], factors: NDArray[np.float32] | None, widths: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Take gradients of the vectors of `pool_rows` to the rows that they are made of.

    Args:
        gradients: float32 [B, F * D], of the vectors.
        rows: as `pool_rows` had them, and so the next two.
        factors: rows of a factor of 0 are left out.
        widths: see `pool_rows`.

    Returns:
        int64 [N] and float32 [N, D]: a row of the table, and its factor times the gradient of its vector, in the order
        of the batch, so that a row may come more than once. Both are views of arrays with room for B * S.

    Raises:
        DataError: an array is not as described.
    """
    return _checked(_native.spread_rows, gradients, rows, factors, widths)


def coalesce_rows(
    rows: NDArray[np.int64], values: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Add the values of equal rows.

    >>> unique, sums = coalesce_rows(np.array([7, 2, 7]), np.array([[1], [2], [3]], np.float32))
    >>> unique.tolist(), sums.tolist()
    ([7, 2], [[4.0], [2.0]])

    Args:
        rows: int64 [N], any numbers; N below 2**32 - 1.
        values: float32 [N, D].

    Returns:
        The unique rows int64 [U] in the order of their first occurrence, and float32 [U, D], where the values of a row
        are added in the order of their occurrence. Both are views of arrays with room for N.

    Raises:
        DataError: an array is not as described.
    """
    return _checked(_native.coalesce_rows, rows, values)


def update_rowwise_adagrad(  # noqa: PLR0913 (a table, its gradient, and the three numbers of the formula)
    table: NDArray[np.float32],
    sums: NDArray[np.float32],
    rows: NDArray[np.int64],
    values: NDArray[np.float32],
    *,
    lr: float,
    epsilon: float,
    scale: float = 1.0,
    threads: int = 1,
) -> None:
    """Take one step of row-wise Adagrad in place, with the gradients `g = scale · values` of the rows given.

    `s[r] += mean(g[r]²); w[r] -= lr / (sqrt(s[r]) + epsilon) · g[r]`, in float32. Duchi et al., JMLR 12, 2011; kept per
    row as in Mudigere et al., ISCA 2022, section 4.1.1.

    Args:
        table: float32 [R, D], the weights w.
        sums: float32 [R], the sum of mean squared gradients of each row, s.
        rows: int64 [U], each in [0, R) and there once, as `coalesce_rows` gives them.
        values: float32 [U, D].
        lr: the learning rate.
        epsilon: above 0 in float32.
        scale: what the values are multiplied with, such as that of gradient clipping.
        threads: how many share the work, where there are 32,768 rows for each.

    Raises:
        DataError: a row is out of range, or an array is not as described; nothing is written.
        ConfigError: a number is not finite, or `epsilon` is 0 or below.
    """
    for name, value in (("lr", lr), ("epsilon", epsilon), ("scale", scale)):
        if not math.isfinite(value):
            raise ConfigError(f"{name} must be finite, got {shown(value)}")
    if not np.float32(epsilon) > 0:
        raise ConfigError(f"epsilon must be above 0 in float32, got {shown(epsilon)}")
    _checked(_native.update_rowwise_adagrad, table, sums, rows, values, lr, epsilon, scale, threads)


def _checked(call: Callable[..., _T], *arguments: Any) -> _T:
    try:
        return call(*arguments)
    except _native.ArrayError as err:
        raise DataError(str(err)) from err
