"""The thread that makes Parquet files of journals, its own and those that the dead have left."""

import logging
import queue
import threading
import time
from pathlib import Path

from polyrank.impressions import Journal, pack, recover

from .tally import Tally, reason

_LOG = logging.getLogger(__name__)
_AGAIN_S = 5.0


class Packer:
    """Packs what it is handed, one after the other; what the disk has no room for is tried again.

    Args:
        folder: of the log.
        recover_s: how often the folder is searched for journals of the dead.
        tally: counts what is found.
    """

    def __init__(self, folder: Path, recover_s: float, tally: Tally) -> None:
        self._folder, self._recover_s, self._tally = folder, recover_s, tally
        self._handed: queue.SimpleQueue[Journal | threading.Event | None] = queue.SimpleQueue()
        self._held: list[Journal] = []
        self._recovered = -recover_s
        self._thread = threading.Thread(target=self._run, name="polyrank-impressions-packer", daemon=True)
        self._thread.start()

    def put(self, journal: Journal) -> None:
        """Hand over a journal that nothing is added to any more."""
        self._handed.put(journal)

    def settle(self) -> None:
        """Wait until all journals handed over so far are packed, or cannot be."""
        done = threading.Event()
        self._handed.put(done)
        while not done.wait(1.0) and self._thread.is_alive():
            pass

    def close(self) -> None:
        """Pack all, and leave to the next writer what cannot be."""
        self._handed.put(None)
        self._thread.join()

    def forget(self) -> None:
        """Close files in a child of a fork."""
        for journal in self._held:
            journal.forget()

    def _run(self) -> None:
        is_running = True
        while is_running:
            if time.monotonic() - self._recovered >= self._recover_s:
                self._recover()
            try:
                task = self._handed.get(timeout=min(_AGAIN_S, self._recover_s))
            except queue.Empty:
                self._pack_held()
                continue
            if isinstance(task, Journal):
                self._held.append(task)
            self._pack_held()
            if isinstance(task, threading.Event):
                task.set()
            is_running = task is not None
        self.forget()

    def _pack_held(self) -> None:
        import pyarrow as pa

        for journal in list(self._held):
            try:
                pack(journal.path)
            except FileNotFoundError:
                self._tally.drop(journal.num_rows, f"{journal.path} was removed")
            except (OSError, pa.ArrowException) as err:
                self._tally.warn(f"journals in {self._folder} wait to become files: {reason(err)}")
                continue
            self._held.remove(journal)
            journal.forget()

    def _recover(self) -> None:
        self._recovered = time.monotonic()
        try:
            found = recover(self._folder)
        except OSError as err:
            self._tally.warn(f"journals in {self._folder} cannot be recovered now: {reason(err)}")
            return
        self._tally.recovered += found.rows
        self._tally.torn_bytes += found.torn_bytes
        if found.files or found.torn_bytes:
            _LOG.info("recovered %s impressions in %s", f"{found.rows:,}", self._folder)
