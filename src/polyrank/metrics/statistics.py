"""Metrics of rows, prepared so that they are found again for rows that are there more or less often."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

NAN = float("nan")


class Statistic(Protocol):
    """A metric of n rows, with everything done that does not depend on how often each is there."""

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the metric with each row as often as float64 [n] says; NaN when undefined."""


@runtime_checkable
class Counting(Statistic, Protocol):
    """A metric that rests on groups or classes.

    Attributes:
        counts: how many there are, and how many are skipped, by name.
    """

    counts: dict[str, int]


class Sums:
    """A function of weighted sums of columns."""

    def __init__(
        self, weights: NDArray[np.float64], columns: Sequence[NDArray[np.float64]], finish: Callable[..., float]
    ) -> None:
        """Weigh columns [n]; `finish` takes the sum of the weights and those of the columns, and gives the metric."""
        self._columns = [weights, *(weights * column for column in columns)]
        self._finish = finish

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the metric with each row as often as float64 [n] says."""
        return self._finish(*(float(times @ column) for column in self._columns))


class MeanOverGroups:
    """The weighted mean of the values of groups. Groups without a value are skipped, and counted."""

    def __init__(
        self, values: NDArray[np.float64], weights: NDArray[np.float64], first_rows: NDArray[np.int64]
    ) -> None:
        """Take of each group its value [G], NaN where it has none, its weight [G] and one of its rows [G]."""
        defined = ~np.isnan(values)
        self._values, self._weights, self._first_rows = values[defined], weights[defined], first_rows[defined]
        self.counts = {"groups": int(defined.sum()), "skipped_groups": int((~defined).sum())}

    def value(self, times: NDArray[np.float64]) -> float:
        """Return the mean with each group as often as its first row; all its rows must be there as often."""
        weights = self._weights * times[self._first_rows]
        return ratio(float(weights @ self._values), float(weights.sum()))


def ratio(dividend: float, divisor: float) -> float:
    """Divide; NaN when the divisor is not above 0."""
    return dividend / divisor if divisor > 0 else NAN
