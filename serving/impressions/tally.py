"""How many impressions were written and how many were not, and why."""

import collections
import logging
import threading
import time

from polyrank.reasons import first_line, system_reason
from polyrank.serving.telemetry import Telemetry

_LOG = logging.getLogger(__name__)
_SILENT_S = 60.0
_MOST_TEXTS = 100


class Tally:
    """Counts rows, and warns of those that are lost, of each cause at most once a minute.

    Attributes:
        written: rows in journals and files.
        dropped: rows that are lost.
        recovered: rows that other writers had left.
        torn_bytes: what of theirs was not whole.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.written = self.dropped = self.recovered = self.torn_bytes = 0
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._causes: collections.Counter[str] = collections.Counter()
        self._num_uncounted = 0
        self._warned: dict[str, float] = {}

    def wrote(self, rows: int) -> None:
        """Count rows that a journal has."""
        with self._lock:
            self.written += rows
        self._count("written", rows)

    def drop(self, rows: int, cause: str) -> None:
        """Count rows that are lost; `report` says so, since a request does not wait for a log handler."""
        with self._lock:
            self.dropped += rows
            self._num_uncounted += rows
            self._causes[cause] += rows

    def warn(self, trouble: str) -> None:
        """Warn of what loses nothing yet."""
        with self._lock:
            is_due = self._is_due(trouble)
        if is_due:
            _LOG.warning("%s", trouble)

    def report(self) -> None:
        """Warn of what was lost since, and count it where the client's calls are counted."""
        with self._lock:
            lost = {cause: self._causes.pop(cause) for cause in list(self._causes) if self._is_due(cause)}
            rows, self._num_uncounted = self._num_uncounted, 0
        if rows:
            self._count("dropped", rows)
        for cause, rows in lost.items():
            _LOG.warning("%s impressions are lost: %s", f"{rows:,}", cause)

    def _count(self, outcome: str, rows: int) -> None:
        try:
            self._telemetry.impressions(outcome, rows)
        except Exception as err:  # noqa: BLE001 (telemetry of the user's own must not end the writer)
            self.warn(f"telemetry does not count impressions: {reason(err)}")

    def _is_due(self, text: str) -> bool:
        """Say whether a warning has not been given for a while, and note that it is given now."""
        now = time.monotonic()
        if now - self._warned.get(text, -_SILENT_S) < _SILENT_S:
            return False
        if len(self._warned) >= _MOST_TEXTS:
            self._warned.clear()
        self._warned[text] = now
        return True


def reason(err: Exception) -> str:
    """Return why the system refused, in its own words; of what is no error of the system, its first line."""
    return system_reason(err) if isinstance(err, OSError) else first_line(err).lower()
