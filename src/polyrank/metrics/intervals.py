"""Bootstrap confidence intervals of metrics, and of the difference that another model makes."""

import collections
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError

from .observed import Observed
from .statistics import NAN, Statistic

Interval = tuple[float, float]
"""Lower and upper end."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How to find confidence intervals: percentiles of the metric over resampled rows.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13. Groups are drawn with replacement,
    each with all its rows, since the rows of one user are not independent: Sherman and le Cessie, Communications in
    Statistics: Simulation and Computation 26, 1997. Rows without a group are drawn one by one.

    Attributes:
        level: share of the intervals that hold the true value, in (0, 1).
        resamples: how often to draw, 1 or above.
        seed: of the draws, which are the same for all metrics and models.
        headline_only: spare the metrics that are not shown in one line.
        without: names of other metrics to spare.
        threads: how many measure resamples, 1 or above; the intervals are the same.
    """

    level: float = 0.95
    resamples: int = 200
    seed: int = 0
    headline_only: bool = False
    without: Collection[str] = ()
    threads: int = 1

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        if not 0 < self.level < 1:
            raise ConfigError(f"level must be in (0, 1), got {self.level}")
        for name in ("resamples", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or above, got {getattr(self, name)}")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or above, got {self.seed}")


def percentile_interval(values: NDArray[np.float64], level: float) -> Interval:
    """Return the middle `level` of resampled values; those that are NaN do not count, and of none it is NaN."""
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return (NAN, NAN)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))


def resampled(
    statistics: Mapping[str, Statistic], observed: Observed, bootstrap: Bootstrap
) -> dict[str, NDArray[np.float64]]:
    """Return the values of each statistic over the same draws of the observed rows, float64 [resamples]."""

    def values_of(times: NDArray[np.float64]) -> list[float]:
        return [statistic.value(times) for statistic in statistics.values()]

    found = np.full((bootstrap.resamples, len(statistics)), NAN)
    with ThreadPoolExecutor(bootstrap.threads, "polyrank-resample") as pool:
        for index, values in enumerate(_mapped(pool, values_of, draws(observed, bootstrap), ahead=bootstrap.threads)):
            found[index] = values
    return {name: found[:, column] for column, name in enumerate(statistics)}


def _mapped(
    pool: ThreadPoolExecutor,
    function: Callable[[NDArray[np.float64]], list[float]],
    items: Iterator[NDArray[np.float64]],
    *,
    ahead: int,
) -> Iterator[list[float]]:
    """Map as the pool does, but make no more items than are at work: each is as long as there are rows."""
    waiting: collections.deque[Future[list[float]]] = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    for future in waiting:
        yield future.result()


def draws(observed: Observed, bootstrap: Bootstrap) -> Iterator[NDArray[np.float64]]:
    """Yield how often each row is drawn, float64 [n], for each resample; nothing when there is no row.

    As many groups, or rows, are drawn as there are: their numbers are multinomial.
    """
    units = _units(observed)
    count = len(observed) if units is None else int(units.max(initial=-1)) + 1
    generator = np.random.default_rng(bootstrap.seed)
    for _ in range(bootstrap.resamples if count else 0):
        times = np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)
        yield times if units is None else times[units]


def _units(observed: Observed) -> NDArray[np.int64] | None:
    """Number what is drawn as a whole, int64 [n]: groups, and rows without a group; None when each row is by itself."""
    if observed.groups is None:
        return None
    first = int(observed.groups.max(initial=-1)) + 1
    units = np.where(observed.groups >= 0, observed.groups, first + np.arange(len(observed)))
    numbers: NDArray[np.int64] = np.cumsum(np.bincount(units) > 0)[units] - 1
    return numbers
