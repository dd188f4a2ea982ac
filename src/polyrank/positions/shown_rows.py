"""Rows of one task by user, item and rank."""

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class RankedRows:
    """Rows with an observed label, [B] each.

    Attributes:
        clicks: 0 or 1, float64.
        ranks: int64, from 0: that of rank 1.
        users: int64 codes from 0.
        units: int64 codes from 0: what is as relevant each time, an item to a user.
        num_ranks: K.
    """

    clicks: NDArray[np.float64]
    ranks: NDArray[np.int64]
    users: NDArray[np.int64]
    units: NDArray[np.int64]
    num_ranks: int

    def __len__(self) -> int:
        """Return B."""
        return len(self.clicks)

    @property
    def num_users(self) -> int:
        """How many users there are."""
        return int(np.count_nonzero(np.bincount(self.users)))

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "RankedRows":
        """Pick rows."""
        parts = (self.clicks[rows], self.ranks[rows], self.users[rows], self.units[rows])
        return RankedRows(*parts, num_ranks=self.num_ranks)
