"""Joins outcomes to impressions."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polyrank.errors import ConfigError, DataError
from polyrank.files import UTF8, Location, Progress, location
from polyrank.schema import Schema
from polyrank.staging import staged_file

from .gathering import gathered
from .happened import Happened
from .instants import EARLIEST, as_datetime, instant
from .items import ItemTable
from .labelling import LabelColumns, Labels, attribute, windows_us
from .options import JoinOptions
from .reading import Impressions, JoinKeys, join_keys, read_outcomes
from .results import JoinCounts
from .shown import Shown
from .writing import Labeller

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


AHEAD = timedelta(days=1)
"""What is shown or happens longer after now has a clock that is ahead."""


def _untold(_done: int, _total: int | None) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Joined:
    """Rows to train on.

    Attributes:
        table: impressions in the order of `shown_at`, `request_id` and `rank`, with labels.
        counts: what became of outcomes.
    """

    table: "pa.Table"
    counts: JoinCounts


def join(
    schema: Schema,
    impressions: Location | str,
    outcomes: Location | str,
    options: JoinOptions | None = None,
    *,
    encoding: str = UTF8,
) -> Joined:
    """Give impressions labels out of outcomes; see docs/loop-data.md.

    Rows do not depend on the order of files, nor on how rows are spread over them.

    Args:
        schema: its tasks say which labels there are.
        impressions: a file, a directory or a pattern, such as `polyrank.serving.ImpressionLog` writes.
        outcomes: likewise, a row for each event.
        options: windows, and which columns are which.
        encoding: of CSV and JSON Lines files.

    Raises:
        ConfigError: an option does not fit the schema.
        DataError: files cannot be read, lack a column, or hold a wrong value.
    """
    import pyarrow as pa

    plan = _Join(schema, options or JoinOptions(), encoding).plan(location(impressions), location(outcomes), _untold)
    return Joined(pa.concat_tables(plan.tables(None)), plan.counts)


def join_to_file(  # noqa: PLR0913 (what `join` takes, and where to)
    schema: Schema,
    impressions: Location | str,
    outcomes: Location | str,
    out: Path,
    options: JoinOptions | None = None,
    *,
    encoding: str = UTF8,
    progress: Progress = _untold,
) -> JoinCounts:
    """Write what `join` gives as Parquet, whole or not at all; memory grows with keys and labels alone.

    Raises:
        ConfigError: as `join`.
        DataError: as `join`.
        OutputError: `out` cannot be written.
    """
    import pyarrow.parquet as pq

    join_of = _Join(schema, options or JoinOptions(), encoding)
    with staged_file(out) as partial:
        plan = join_of.plan(location(impressions), location(outcomes), progress)
        writer = None
        try:
            for table in plan.tables(partial.parent):
                writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
    return plan.counts


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Which rows are joined, with which labels."""

    impressions: Impressions
    shown: Shown
    labels: LabelColumns
    labeller: Labeller
    counts: JoinCounts

    def tables(self, folder: Path | None) -> "Iterator[pa.Table]":
        for part, rows in gathered(self.impressions, self.shown.places, folder):
            labels = {name: values[part] for name, values in self.labels.items()}
            yield self.labeller.add(rows, self.shown.times[part], labels)


class _Join:
    """What is asked for, checked against the schema before files are read."""

    def __init__(self, schema: Schema, options: JoinOptions, encoding: str) -> None:
        self._schema, self._options = schema, options
        self._windows = windows_us(schema, options)
        self._keys: JoinKeys = join_keys(schema, options, encoding)
        self._until = None if options.until is None else instant("until", options.until, schema.time_unit)
        self._since = EARLIEST if options.since is None else instant("since", options.since, schema.time_unit)
        if self._until is not None and self._since >= self._until:
            since, until = (f"{as_datetime(each):%Y-%m-%d %H:%M:%S} UTC" for each in (self._since, self._until))
            raise ConfigError(f"since must be before until, {until}, got {since}")

    def plan(self, impressions: Location, outcomes: Location, progress: Progress) -> _Plan:
        files = Impressions(self._schema, impressions, self._keys)
        labeller = self._labeller(files)
        shown, repeated = files.read(progress)
        happened, other_tasks = read_outcomes(self._schema, outcomes, self._keys, self._options.time)
        until = _newest(impressions, shown, happened) + 1 if self._until is None else self._until
        ahead = int((shown.times >= until).sum()) if self._until is None else 0
        shown, seen = shown[shown.times < until], happened[happened.times < until]
        labels = Labels(self._labelled(files), shown, attribute(shown, seen), self._windows, until)
        kept = shown.times >= self._since
        items = labeller.items
        counts = JoinCounts(
            rows=int(kept.sum()),
            repeated=repeated,
            items_not_found=0 if items is None else int((items.places(shown.items[kept]) < 0).sum()),
            other_tasks=dict(sorted(other_tasks.items())),
            ahead=ahead,
            not_yet=len(happened) - len(seen),
            until=as_datetime(until),
            settled=as_datetime(until - max(self._windows.values())),
            item=self._keys.item,
            user=self._keys.user,
            tasks=tuple(labels.counts(place, kept) for place in range(len(self._schema.tasks))),
        )
        return _Plan(files, shown[kept], {name: each[kept] for name, each in labels.columns.items()}, labeller, counts)

    def _labeller(self, files: Impressions) -> Labeller:
        file = self._options.items
        items = None if file is None else ItemTable(self._schema, location(file), self._keys, files.columns)
        labeller = Labeller(self._schema, self._options, self._keys.item, items)
        labeller.check(files.columns)
        return labeller

    def _labelled(self, files: Impressions) -> Schema:
        """Return the schema without conditions that impressions have in columns of their own."""
        tasks = (
            msgspec.structs.replace(task, when=None) if task.when in files.columns else task
            for task in self._schema.tasks
        )
        return msgspec.structs.replace(self._schema, tasks=tuple(tasks))


def _newest(impressions: Location, shown: Shown, happened: Happened) -> int:
    """Return the newest time, but for those of clocks that are ahead: labels that are not due would look final.

    Raises:
        DataError: all impressions have such a clock.
    """
    latest = instant("now", datetime.now(UTC) + AHEAD, "s")
    if len(shown) and int(shown.times.min()) > latest:
        raise DataError(
            f"{impressions}: all is shown more than a day after now, {as_datetime(latest) - AHEAD:%Y-%m-%d %H:%M} UTC; "
            "set until, or the clock of this machine"
        )
    return max(int(times[times <= latest].max(initial=EARLIEST)) for times in (shown.times, happened.times))
