"""Progress of a training where there is no terminal for a bar: a line of the log every ten seconds."""

import logging
import sys
import time

PERIOD_S = 10.0

logger = logging.getLogger(__name__)


class ProgressLines:
    """Says how many rows are done, how fast, and how long the rest takes at that rate.

    Args:
        done: rows that an earlier process did, each epoch's counted.
        shown: whether to say anything.
    """

    def __init__(self, done: int, *, shown: bool) -> None:
        self.total = done
        """Rows of the whole training, each epoch's counted, as far as is known."""
        self._first, self._done = done, done
        self._shown = shown and not (sys.stderr is not None and sys.stderr.isatty())
        self._start = time.monotonic()
        self._next = self._start + PERIOD_S

    def update(self, rows: int) -> None:
        """Count rows, and report if it is time."""
        self._done += rows
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + PERIOD_S
        rate = (self._done - self._first) / (now - self._start)
        left = max(self.total - self._done, 0) / rate
        share = self._done / self.total
        logger.info(
            "train: %s of %s rows (%.0f%%), %s rows/s, %s s left",
            *(f"{self._done:,}", f"{self.total:,}", 100 * share, f"{rate:,.0f}", f"{left:,.0f}"),
        )
