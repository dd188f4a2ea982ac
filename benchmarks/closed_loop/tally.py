"""What an application counts of its own log: how often each item was shown, and clicked."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

COEC = "coec"
"""Column of the catalogue: clicks over expected clicks, as `Tally.coec` has them."""

_DOUBT = 20
"""Showings without a click that are added to those of each item, to tell the popular."""

_PRIOR = 2.0
"""Expected clicks, and as many clicks, that are added to those of each item."""


class Tally:
    """Counts by item and place.

    Attributes:
        shown: int64 [ids, places], index 0 of ids unused.
        clicked: the same.
        is_new: whether the item came this day, bool [ids].
    """

    def __init__(self, items: int, places: int) -> None:
        self.shown = np.zeros((items + 1, places), np.int64)
        self.clicked = np.zeros((items + 1, places), np.int64)
        self.is_new = np.zeros(items + 1, bool)

    def make_room(self, items: int) -> None:
        """Count new items too, from 0."""
        more = items + 1 - len(self.shown)
        self.shown, self.clicked = (np.pad(each, ((0, more), (0, 0))) for each in (self.shown, self.clicked))
        self.is_new = np.pad(self.is_new, (0, more), constant_values=True)

    def add(self, items: NDArray[np.int64], places: NDArray[np.int64], is_clicked: NDArray[np.bool_]) -> None:
        """Count showings of item ids at places, from 0."""
        np.add.at(self.shown, (items, places), 1)
        np.add.at(self.clicked, (items[is_clicked], places[is_clicked]), 1)

    def popular(self, count: int) -> NDArray[np.int64]:
        """Return the ids with the highest click rates, the highest first; what was shown seldom counts for less."""
        rates = self.clicked[1:].sum(1) / (self.shown[1:].sum(1) + _DOUBT)
        return np.argsort(-rates, kind="stable")[:count] + 1

    def coec(self) -> NDArray[np.float32]:
        """Return clicks over expected clicks of each item, float32 [items]: those that its places bring on average.

        Zhang and Jones, Comparing click logs and editorial labels for training query rewriting, WWW 2007 workshop.
        """
        rates = self.clicked.sum(0) / np.maximum(self.shown.sum(0), 1)  # [places]
        ratio: NDArray[np.float64] = (self.clicked[1:].sum(1) + _PRIOR) / (self.shown[1:] @ rates + _PRIOR)
        return ratio.astype(np.float32)


def counted(logs: pa.Table, tally: Tally, day_s: int) -> pa.Table:
    """Count logs, and give each row what was counted before its day, as `COEC`."""
    days, found = logs["time_s"].to_numpy() // day_s, []
    for day in np.unique(days):
        rows = logs.filter(pa.array(days == day))
        items, before = rows["item_id"].to_numpy(), tally.coec()
        tally.add(items, rows["position"].to_numpy() - 1, pc.equal(rows["click"], 1).to_numpy(zero_copy_only=False))
        found.append(rows.append_column(COEC, pa.array(before[items - 1])))
    return pa.concat_tables(found)
