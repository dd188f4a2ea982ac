"""`ImpressionLog`: what was shown to whom, kept for joining with what came of it."""

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.arguments import instance, integer, is_number, named, path, shown
from polyrank.errors import ConfigError, DataError, SchemaError
from polyrank.impressions import Recovered, recover
from polyrank.serving.checks import check_request_id
from polyrank.serving.closing import Closing
from polyrank.serving.items import ITEM, Items
from polyrank.serving.origins import origin_of
from polyrank.serving.ranking import User, user_row
from polyrank.serving.telemetry import Telemetry
from polyrank.signature import SCORE

from .entries import Entry
from .layout import Layouts
from .tally import Tally
from .writer import Limits, Writer

if TYPE_CHECKING:
    import pyarrow as pa

_MB = 1_000_000
_LIMIT = 10_000_000
"""Of sizes in MB and of times in seconds."""


class ImpressionLog(Closing):
    """Writes down what was shown, a row for each item, with the features as they were served.

    `ranker.rank(user, items, log=log)` takes down what it answers; `shown` is for those who order anew or show less. A
    call hands over references and takes some microseconds. Threads of the log write a journal, and Parquet files
    `impressions-<UTC time>-<random>.parquet` of it, whole. After a kill the next log in the folder, or `recover`, makes
    files of the journals that were left, each row once. Any number of threads and processes may share a folder, and a
    log is used in the children of a fork as in its parent.

    No request ever fails for the log: rows that the disk does not take, or that come faster than they are written, are
    lost, counted in `dropped`, and warned of.

    Args:
        folder: made where it is missing.
        rotate_mb: size of a journal, in MB, that makes a file of it; the file is several times smaller.
        rotate_s: age of a journal, in seconds, that does so.
        flush_s: time after which rows are on the disk at the latest, where it keeps pace, in seconds.
        queue_rows: rows that wait to be written at most.
        item_columns: whether the features of items are written too; without them the key is, and a table of items is
            joined by it later.
        clock: seconds since 1970.
        telemetry: counts impressions too.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(  # noqa: PLR0913 (each has a default and a name)
        self,
        folder: str | os.PathLike[str],
        *,
        rotate_mb: float = 64,
        rotate_s: float = 300.0,
        flush_s: float = 0.5,
        queue_rows: int = 100_000,
        item_columns: bool = True,
        clock: Callable[[], float] = time.time,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._folder = path("folder", folder)
        numbers = {"rotate_mb": rotate_mb, "rotate_s": rotate_s, "flush_s": flush_s}
        for name, value in numbers.items():
            if not is_number(value) or not 0 < value < _LIMIT:
                raise ConfigError(f"{name} must be a number above 0 and below {_LIMIT:,}, got {shown(value)}")
        instance("item_columns", item_columns, bool, "True or False")
        if not callable(clock):
            raise ConfigError(f"clock must be a function that returns seconds since 1970, got {named(clock)}")
        if telemetry is not None:
            instance("telemetry", telemetry, Telemetry, "a Telemetry, such as polyrank.serving.Metrics()")
        rows = integer("queue_rows", queue_rows, range(1, 10**9), "[1, 10**9)")
        self._limits = Limits(rotate_bytes=int(rotate_mb * _MB), rotate_s=rotate_s, flush_s=flush_s, queue_rows=rows)
        self._has_items, self._clock, self._telemetry = item_columns, clock, telemetry or Telemetry()
        self._is_closed = False
        self._begin()
        self._writer_now()
        _LOGS.add(self)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    @property
    def written(self) -> int:
        """Rows that this process has written."""
        return self._tally.written

    @property
    def dropped(self) -> int:
        """Rows of this process that are lost: the disk did not take them, or too many waited."""
        return self._tally.dropped

    @property
    def recovered(self) -> Recovered:
        """What this process has recovered of others that died."""
        return Recovered(rows=self._tally.recovered, torn_bytes=self._tally.torn_bytes)

    def shown(
        self,
        answer: "pa.Table",
        *,
        user: User,
        items: Items,
        request_id: str | None = None,
        arm: str | None = None,
        ranks: Sequence[int] | None = None,
    ) -> None:
        """Take down a list that was shown.

        Args:
            answer: of `rank` or `recommend`, or rows of it in the order in which they were shown. `take` and `slice`
                keep what a detour through pandas loses: its metadata.
            user: as it was asked with.
            items: as they were asked with.
            request_id: what outcomes will name it by; None takes that of the answer.
            arm: of an experiment.
            ranks: places of the rows in the shown list, from 1; None counts the rows.

        Raises:
            ConfigError: an argument is of a wrong type.
            DataError: `answer` is no ranking with its metadata, or `user` no single row.
            SchemaError: the first model that is logged has a column named like one of the log's own.
        """
        _check(answer, items, arm, ranks)
        check_request_id(request_id)
        row, rows, origin = user_row(user), answer.num_rows, origin_of(answer)
        if request_id:
            origin = origin._replace(request_id=request_id)
        try:
            layout = self._layouts.of(items, row)
        except SchemaError as err:
            if not len(self._layouts):
                raise
            self._tally.drop(rows, str(err))  # a version that went live later: requests go on
            return
        if self._is_closed:
            self._drop_late(rows)
            return
        kept = {name: _copied(row[name]) for name in layout.user if name in row}
        places = None if ranks is None else tuple(ranks)
        entry = Entry(layout, kept, items, answer, origin, arm, self._clock(), places)
        backlog = self._writer_now().backlog
        if not rows or backlog.put(entry, rows):
            return
        if backlog.is_closed:  # by another thread, just now
            self._drop_late(rows)
        else:
            self._tally.drop(rows, f"more than {self._limits.queue_rows:,} wait to be written; raise queue_rows")

    def flush(self) -> None:
        """Wait until all that was shown so far is in a journal, which outlives the process."""
        if not self._is_closed:
            self._writer_now().flush(rotates=False)

    def rotate(self) -> None:
        """Wait until all that was shown so far is in Parquet files."""
        if not self._is_closed:
            self._writer_now().flush(rotates=True)

    def close(self) -> None:
        """Make Parquet files of all that was shown, and end the threads; done at the end of the process too."""
        self._is_closed = True
        if self._finalizer is not None:
            self._finalizer()
        self._tally.report()

    @staticmethod
    def recover(folder: str | os.PathLike[str]) -> Recovered:
        """Make Parquet files of what writers that died left in a folder; those of the living are left alone.

        Raises:
            ConfigError: `folder` is no path.
            OSError: the disk is full, or the folder cannot be written.
        """
        return recover(path("folder", folder))

    def _drop_late(self, rows: int) -> None:
        self._tally.drop(rows, "the log is closed")
        self._tally.report()  # no thread of the log does so any more

    def _begin(self) -> None:
        """Set up what each process has its own of."""
        self._lock, self._tally = threading.Lock(), Tally(self._telemetry)
        self._layouts = Layouts(has_items=self._has_items)
        self._writer: Writer | None = None
        self._finalizer: weakref.finalize[..., ImpressionLog] | None = None

    def _writer_now(self) -> Writer:
        if self._writer is None:
            with self._lock:
                if self._writer is None:
                    writer = Writer(self._folder, self._limits, self._clock, self._tally)
                    self._finalizer = weakref.finalize(self, Writer.close, writer)
                    self._writer = writer
        return self._writer

    def _forked(self) -> None:
        """Begin anew in a child of a fork: what waits, and the journals, are the parent's."""
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._writer is not None:
            self._writer.forget()
        self._begin()


_LOGS: "weakref.WeakSet[ImpressionLog]" = weakref.WeakSet()


def _forked() -> None:
    for log in list(_LOGS):
        log._forked()  # noqa: SLF001 (of this module)


os.register_at_fork(after_in_child=_forked)


def _check(answer: "pa.Table", items: object, arm: object, ranks: Sequence[int] | None) -> None:
    import pyarrow as pa

    instance("answer", answer, pa.Table, "the table that rank returned")
    instance("items", items, Items, "what ranker.items(rows, key=COLUMN) returned")
    if arm is not None:
        instance("arm", arm, str, "text")
    schema = answer.schema
    if schema.get_field_index(ITEM) < 0 or schema.get_field_index(SCORE) < 0:
        raise DataError(f"answer must have the columns {ITEM!r} and {SCORE!r} of rank, got {', '.join(schema.names)}")
    if ranks is not None and len(ranks) != answer.num_rows:
        raise DataError(f"ranks must name a place for each of the {answer.num_rows} rows of answer, got {len(ranks)}")


_FIXED = frozenset((int, float, str, bytes, bool, type(None)))


def _copied(value: object) -> object:
    """Return a value that its owner cannot change any more, as a history that is added to."""
    return value if type(value) in _FIXED or not hasattr(value, "copy") else value.copy()
