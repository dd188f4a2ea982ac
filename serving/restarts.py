"""How often and how soon a server that ended is started again. Needs the standard library alone."""

from collections import deque

WINDOW_S = 600.0
LONGEST_PAUSE_S = 30.0


class Restarts:
    """Counts restarts, so that a server that cannot live is given up.

    Args:
        limit: How many there may be within `WINDOW_S`; 0 allows none.

    Attributes:
        count: How many there have been.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.count = 0
        self._times: deque[float] = deque()

    def next_pause_s(self, now: float) -> float | None:
        """Count one restart and return the seconds to wait before it: 0, 1, 2, 4, up to 30. None: no more of them.

        Args:
            now: A time in seconds that only rises.
        """
        while self._times and now - self._times[0] > WINDOW_S:
            self._times.popleft()
        if len(self._times) >= self._limit:
            return None
        earlier = len(self._times)
        self._times.append(now)
        self.count += 1
        return min(2.0 ** (earlier - 1), LONGEST_PAUSE_S) if earlier else 0.0
