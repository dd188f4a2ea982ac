"""Values that pass by, counted in bounded memory."""

import abc

import numpy as np
from numpy.typing import NDArray

LIMIT = 2**19
"""So many values at most are kept of a column, twice: 16 bytes each."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""An odd number near 2^64 divided by the golden ratio: multiplied by it, ids that follow one another lie far apart."""


class Counts(abc.ABC):
    """Counts by fingerprint; those that came last are merged when they are many.

    Attributes:
        limit: values at most. Beyond it, a subclass says which go.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._values: NDArray[np.int64] = np.empty(0, np.int64)
        self._counts: NDArray[np.int64] = np.empty(0, np.int64)
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._num_pending = 0

    def add(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add distinct values [n], each so often."""
        self._pending.append((values, counts))
        self._num_pending += len(values)
        if self._num_pending > self.limit:
            self._merge()

    @property
    def found(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Values int64 [n], ascending, and how often each is there, int64 [n]."""
        self._merge()
        return self._values, self._counts

    def _merge(self) -> None:
        if not self._pending:
            return
        parts = [(self._values, self._counts), *self._pending]
        self._pending, self._num_pending = [], 0
        self._values, places = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        counts = np.concatenate([part[1] for part in parts])
        self._counts = np.bincount(places, counts, len(self._values)).astype(np.int64)
        if len(self._values) > self.limit:
            kept = self._kept(self._values, self._counts)
            self._values, self._counts = self._values[kept], self._counts[kept]

    @abc.abstractmethod
    def _kept(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which of too many values [n] are kept, bool [n]."""


class Commonest(Counts):
    """The values that are there most often. Beyond the limit the rarer half of what was seen so far is let go."""

    def _kept(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        kept = np.zeros(len(values), bool)
        kept[np.argsort(-counts, kind="stable")[: self.limit // 2]] = True
        return kept


class SampledValues(Counts):
    """All values; beyond the limit one in 2, then in 4, and so on, each with all that is counted of it.

    Which, the value says, so that samples of two columns hold the same ones (Gibbons, Distinct Sampling for
    Highly-Accurate Answers to Distinct Values Queries, VLDB 2001).
    """

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__(limit)
        self._level = 0

    def add(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add distinct values [n], each so often."""
        kept = _is_sampled(values, self._level)
        super().add(values[kept], counts[kept])

    @property
    def level(self) -> int:
        """One value in `2**level` is kept."""
        self._merge()
        return self._level

    def at(self, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return values and counts of a level that is this one's or above."""
        values, counts = self.found
        kept = _is_sampled(values, level)
        return values[kept], counts[kept]

    def _kept(self, values: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        del counts
        kept = np.ones(len(values), bool)
        while kept.sum() > self.limit:
            self._level += 1
            kept = _is_sampled(values, self._level)
        return kept


def _is_sampled(values: NDArray[np.int64], level: int) -> NDArray[np.bool_]:
    spread = values.view(np.uint64) * _SPREAD
    return np.asarray(spread < np.uint64(2 ** (64 - level)) if level else np.ones(len(values), bool))
