"""Progress of a long job on standard error."""

import sys
import time

from .output import tell

PATIENCE_S = 2.0
PERIOD_S = {True: 0.2, False: 10.0}
"""Seconds between two reports: on a terminal, where one takes the place of the last, and elsewhere."""


class RowProgress:
    """Says how many rows are done, once the job has taken two seconds; `close` ends the line."""

    def __init__(self, label: str, *, quiet: bool = False) -> None:
        self._label = label
        self._quiet = quiet
        self._on_terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._next = self._start + PATIENCE_S
        self._is_shown = False

    def __call__(self, done: int, total: int | None) -> None:
        """Report, if it is time."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + PERIOD_S[self._on_terminal]
        share = f" of {total:,} rows ({done / total:.0%})" if total else " rows"
        line = f"{self._label}: {done:,}{share}, {done / (now - self._start):,.0f} rows/s"
        tell(f"\r{line}\x1b[K" if self._on_terminal else f"{line}\n")
        self._is_shown = True

    def close(self) -> None:
        """End the line, so that what follows begins a new one."""
        if self._is_shown and self._on_terminal:
            tell("\n")
