"""What waits to be written: references to what a request was answered with."""

import collections
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from polyrank.serving.origins import Origin

from .layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.serving.items import Items


class Entry(NamedTuple):
    """One list that was shown.

    Attributes:
        layout: its columns.
        user: features of user and context by name.
        items: what the answer's places count in.
        answer: rows as they were shown, the first first.
        origin: who made it, and for which request.
        arm: of an experiment.
        shown_at: seconds since 1970.
        ranks: places in the shown list, from 1; None counts the rows.
    """

    layout: Layout
    user: Mapping[str, Any]
    items: "Items"
    answer: "pa.Table"
    origin: Origin
    arm: str | None
    shown_at: float
    ranks: Sequence[int] | None


_LEAST_ROWS = 10
"""As many rows as the features of a user take."""


class Backlog:
    """Entries between threads that ask and the one that writes, up to a number of rows.

    A short list counts as ten rows, since the features of its user wait too.

    Attributes:
        is_closed: it takes no more, whatever room there is.
        wake: set for the thread that writes.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._rows = limit, 0
        self._entries: collections.deque[tuple[int, Entry]] = collections.deque()
        self._lock, self.is_closed = threading.Lock(), False
        self.wake = threading.Event()

    def __len__(self) -> int:
        """Return how many entries wait."""
        return len(self._entries)

    def put(self, entry: Entry, rows: int) -> bool:
        """Add an entry and return whether it was taken: not where it is closed, or full."""
        rows = max(rows, _LEAST_ROWS)
        with self._lock:
            if self.is_closed or (self._rows + rows > self._limit and self._rows):
                return False
            self._rows += rows
            self._entries.append((rows, entry))
            is_half_full = 2 * self._rows > self._limit
        if is_half_full and not self.wake.is_set():
            self.wake.set()
        return True

    def close(self) -> None:
        """Take no more."""
        with self._lock:
            self.is_closed = True
        self.wake.set()

    def take(self, most: int, rows_at_most: int) -> list[Entry]:
        """Return the oldest entries, `most` of so many rows together but one at least, and forget them."""
        taken: list[Entry] = []
        with self._lock:
            count = 0
            while self._entries and (not taken or count + self._entries[0][0] <= rows_at_most) and len(taken) < most:
                rows, entry = self._entries.popleft()
                count += rows
                taken.append(entry)
            self._rows -= count
        return taken
