"""Rows in an order, and sums over runs of them."""

import numpy as np
from numpy.typing import NDArray


def order_within(groups: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order rows by group, int64 [n], and within a group as `order` [n] does; rows of a negative group are left out.

    Numbers that hold both the group and the place are sorted: that is faster than to sort places by them.
    """
    num_bits = len(order).bit_length()
    keys = (groups[order] << num_bits) + np.arange(len(order))
    places = np.sort(keys[keys >= 0]) & ((1 << num_bits) - 1)
    ordered: NDArray[np.int64] = order[places]
    return ordered


def run_sums(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum values [n] over the runs that begin at `starts`, the first of which is 0."""
    return values if len(starts) == len(values) else np.add.reduceat(values, starts)
