"""The items that each user clicked before."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

HISTORY = 20


class ClickHistory:
    """Each user's newest clicks, carried from one block of rows to the next."""

    def __init__(self) -> None:
        self._users = np.empty(0, np.int64)  # ascending, and the clicks of a user oldest first
        self._times = np.empty(0, np.int64)
        self._items = np.empty(0, np.int64)

    def advance(
        self,
        user: NDArray[np.int64],
        time_s: NDArray[np.int64],
        item_id: NDArray[np.int64],
        click: NDArray[np.bool_],
    ) -> "pa.ListArray":
        """Return the last `HISTORY` items that each row's user clicked at an earlier time, newest first.

        Args:
            user: [B].
            time_s: [B], ascending, and none below those of the blocks before.
            item_id: [B].
            click: [B].
        """
        carried = len(self._users)
        users, times = np.append(self._users, user), np.append(self._times, time_s)
        order = np.argsort(users, kind="stable")
        users, times = users[order], times[order]
        clicked = np.append(np.ones(carried, bool), click)[order]
        clicks = np.append(self._items, item_id)[order][clicked]
        is_user = np.append(True, users[1:] != users[:-1])
        above = np.cumsum(clicked) - clicked
        stop = _first_of(above, is_user | np.append(True, times[1:] != times[:-1]))
        start = np.maximum(_first_of(above, is_user), stop - HISTORY)
        row = np.empty(len(order), np.int64)
        row[order] = np.arange(len(order))
        self._carry(users[clicked], times[clicked], clicks)
        return _newest_first(clicks, start[row[carried:]], stop[row[carried:]])

    def _carry(self, users: NDArray[np.int64], times: NDArray[np.int64], clicks: NDArray[np.int64]) -> None:
        keep = np.searchsorted(users, users, side="right") - np.arange(len(users)) <= HISTORY
        self._users, self._times, self._items = users[keep], times[keep], clicks[keep]


def _first_of(values: NDArray[np.int64], begins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each place the value where its group begins."""
    return values[np.maximum.accumulate(np.where(begins, np.arange(len(values)), 0))]


def _newest_first(clicks: NDArray[np.int64], start: NDArray[np.int64], stop: NDArray[np.int64]) -> "pa.ListArray":
    import pyarrow as pa

    lengths = stop - start
    offsets = np.append(0, np.cumsum(lengths))
    back = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(clicks[np.repeat(stop, lengths) - 1 - back])
    )
