"""Distinct values of a column that passes by."""

import numpy as np
from numpy.typing import NDArray

MIN_PENDING = 2**20


class Distinct:
    """Distinct fingerprints; those of the last pieces are merged when they are as many as those before."""

    def __init__(self) -> None:
        self._merged: NDArray[np.int64] = np.empty(0, np.int64)
        self._pending: list[NDArray[np.int64]] = []
        self._num_pending = 0

    def add(self, fingerprints: NDArray[np.int64]) -> None:
        """Add some."""
        self._pending.append(np.unique(fingerprints))
        self._num_pending += len(self._pending[-1])
        if self._num_pending > max(MIN_PENDING, len(self._merged)):
            self._merge()

    @property
    def values(self) -> NDArray[np.int64]:
        """All of them, int64 [n], ascending."""
        self._merge()
        return self._merged

    def _merge(self) -> None:
        if self._pending:
            self._merged = np.unique(np.concatenate([self._merged, *self._pending]))
            self._pending, self._num_pending = [], 0
