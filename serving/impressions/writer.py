"""The thread that takes entries from the backlog to journals."""

import collections
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.impressions import Journal, check_storable
from polyrank.reasons import first_line

from .batches import Batches
from .entries import Backlog, Entry
from .packer import Packer
from .tally import Tally, reason

if TYPE_CHECKING:
    import pyarrow as pa

# Lists that become rows in about a millisecond, in which the interpreter's lock may be held; then requests have it.
_LISTS_AT_ONCE, _ROWS_AT_ONCE, _PAUSE_S = 32, 2_000, 0.0002
_MOST_JOURNALS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """When the log writes, and when it stops taking rows; see `ImpressionLog`."""

    rotate_bytes: int
    rotate_s: float
    flush_s: float
    queue_rows: int


class Writer:
    """The two threads of a log in one process, and what they share.

    Attributes:
        backlog: takes entries, from any thread.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float], tally: Tally) -> None:
        self._folder, self._limits, self._clock, self._tally = folder, limits, clock, tally
        self.backlog = Backlog(limits.queue_rows)
        self._batches = Batches()
        self._journals: dict[pa.Schema, Journal] = {}
        self._asked: collections.deque[tuple[bool, threading.Event]] = collections.deque()
        self._is_ending = False
        self._packer = Packer(folder, limits.rotate_s, tally)
        self._thread = threading.Thread(target=self._run, name="polyrank-impressions", daemon=True)
        self._thread.start()

    def flush(self, *, rotates: bool) -> None:
        """Wait until what came so far is in journals, or in files."""
        done = threading.Event()
        self._asked.append((rotates, done))
        self.backlog.wake.set()
        while not done.wait(1.0) and self._thread.is_alive():
            pass
        if rotates:
            self._packer.settle()

    def close(self) -> None:
        """Write all, and end the threads."""
        self.backlog.close()
        self._is_ending = True
        self.backlog.wake.set()
        self._thread.join()
        self._packer.close()

    def forget(self) -> None:
        """Close files in a child of a fork, which has none of the threads."""
        self._packer.forget()
        for journal in self._journals.values():
            journal.forget()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self.backlog.wake.wait(self._limits.flush_s)
            self.backlog.wake.clear()
            is_last = self._is_ending
            asked = [self._asked.popleft() for _ in range(len(self._asked))]
            self._drain(len(self.backlog))
            self._flush()
            self._rotate(all_of_them=is_last or any(rotates for rotates, _ in asked))
            self._tally.report()
            for _, done in asked:
                done.set()

    def _drain(self, count: int) -> None:
        """Write so many entries: those of now, so that what comes meanwhile keeps no flush waiting."""
        while count > 0 and (entries := self.backlog.take(min(count, _LISTS_AT_ONCE), _ROWS_AT_ONCE)):
            count -= len(entries)
            for _, alike in itertools.groupby(entries, key=lambda entry: entry.layout):
                self._write(list(alike))
            time.sleep(_PAUSE_S)

    def _write(self, entries: "Sequence[Entry]") -> None:
        try:
            batch = self._batches.of(entries)
            self._journal(batch.schema).append(batch)
        except OSError as err:
            self._tally.drop(_rows(entries), f"{self._folder} cannot be written: {reason(err)}")
        except Exception as err:  # noqa: BLE001 (a value that no column takes must not stop the log)
            self._write_halves(entries, err)
        else:
            self._tally.wrote(_rows(entries))

    def _write_halves(self, entries: "Sequence[Entry]", err: Exception) -> None:
        """Write what can be written of entries that cannot be written together."""
        if len(entries) == 1:
            self._tally.drop(_rows(entries), f"a list cannot be written: {first_line(err)}")
            return
        middle = len(entries) // 2
        self._write(entries[:middle])
        self._write(entries[middle:])

    def _journal(self, schema: "pa.Schema") -> Journal:
        """Return the journal of rows with these columns.

        Raises:
            OSError: none can be made.
            pa.ArrowException: Parquet has no form for one of the columns.
        """
        found = self._journals.get(schema)
        if found is None:
            if len(self._journals) >= _MOST_JOURNALS:
                self._packer.put(self._journals.pop(next(iter(self._journals))))
            check_storable(schema)
            found = self._journals[schema] = Journal(self._folder, schema, self._clock())
        return found

    def _flush(self) -> None:
        for journal in self._journals.values():
            try:
                journal.flush()
            except OSError as err:
                self._tally.warn(f"journals in {self._folder} are not flushed: {reason(err)}")

    def _rotate(self, *, all_of_them: bool) -> None:
        now = time.monotonic()
        for schema, journal in list(self._journals.items()):
            is_old = now - journal.opened >= self._limits.rotate_s
            if all_of_them or is_old or journal.size >= self._limits.rotate_bytes:
                self._packer.put(self._journals.pop(schema))


def _rows(entries: "Sequence[Entry]") -> int:
    return sum(entry.answer.num_rows for entry in entries)
