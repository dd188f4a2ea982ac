"""What an application counts of its own log: how often each item was shown, and clicked."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_DOUBT = 20
"""Showings without a click that are added to those of each item."""


class Tally:
    """Counts by item id.

    Attributes:
        shown: int64 [ids], index 0 unused.
        clicked: the same.
    """

    def __init__(self, items: int, base: pa.Table) -> None:
        self.shown = np.zeros(items + 1, np.int64)
        self.clicked = np.zeros(items + 1, np.int64)
        self.add(base["item_id"].to_numpy(), base.filter(pc.equal(base["click"], 1))["item_id"].to_numpy())

    def make_room(self, items: int) -> None:
        """Count new items too, from 0."""
        more = np.zeros(items + 1 - len(self.shown), np.int64)
        self.shown, self.clicked = np.append(self.shown, more), np.append(self.clicked, more)

    def add(self, shown: NDArray[np.int64], clicked: NDArray[np.int64]) -> None:
        """Count item ids."""
        np.add.at(self.shown, shown, 1)
        np.add.at(self.clicked, clicked, 1)

    def popular(self, count: int) -> NDArray[np.int64]:
        """Return the ids with the highest click rates, the highest first; what was shown seldom counts for less."""
        rates = self.clicked[1:] / (self.shown[1:] + _DOUBT)
        return np.argsort(-rates, kind="stable")[:count] + 1
