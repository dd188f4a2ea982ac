"""Rows: what was shown since the last cycle with what came of it, and earlier rows to be learned from again."""

import dataclasses
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyrank.attribution import JoinCounts, JoinOptions, join
from polyrank.errors import DataError
from polyrank.files import SUFFIXES, Wanted, list_files, read_table
from polyrank.files.scan import check_present
from polyrank.impressions import recover_before_reading
from polyrank.loop.cutting import SECOND, Cut, as_time, first_unlearned, joint_windows, moment, moments_of
from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import RowsFound, TrainFound
from polyrank.loop.glimpse import num_since
from polyrank.loop.live import live_version
from polyrank.loop.settings import Loop
from polyrank.reasons import first_line
from polyrank.schema import Schema
from polyrank.staging import staged_directory
from polyrank.times import Times

from .protocol import Done, Waiting

if TYPE_CHECKING:
    import pyarrow as pa

NEW, EARLIER = "new.parquet", "earlier.parquet"


class RowsStep:
    """Waits for new rows, and writes them with earlier ones."""

    name = "rows"

    def run(self, cycle: Cycle, history: History) -> Done | Waiting:
        """Join and write; wait while there are too few."""
        loop, rows = cycle.loop, cycle.loop.settings.rows
        recover_before_reading(loop.path(rows.impressions))
        begins = max(history.ends(), default=None)
        if (missing := missing_files(loop)) is not None and (rows.base is None or begins is not None):
            return Waiting(missing)
        if begins is not None and (shown := num_since(loop, begins)) < rows.min_rows:
            return Waiting(f"new rows: {shown:,} of {rows.min_rows:,}")
        since = _since(loop, history)
        base = _base(loop, since, history)
        gathered = _gathered(loop, since, base, is_joined=missing is None)
        found, new, earlier = gathered.parted(begins, since)
        if found.new < rows.min_rows:
            return Waiting(f"new rows whose labels are due: {found.new:,} of {rows.min_rows:,}")
        learned = Cut.of(loop.schema, found).training(gathered.rows).num_rows
        if learned < rows.min_rows:
            return Waiting(
                f"rows that are older than the hold-out of {loop.settings.evaluate.holdout}: "
                f"{learned:,} of {rows.min_rows:,}"
            )
        _write(cycle.rows, new, earlier)
        inputs = joined_files(loop) if missing is None else []
        inputs += [] if base is None or rows.base is None else [loop.path(rows.base)]
        return Done(found, tuple(inputs), (cycle.rows,))


@dataclasses.dataclass(frozen=True)
class _Gathered:
    """Rows of the base logs and of impressions, and where they end."""

    loop: Loop
    rows: "pa.Table"
    until: datetime
    windows_s: dict[str, float]
    base_until: datetime | None
    joined: JoinCounts | None

    def parted(self, begins: datetime | None, since: datetime | None) -> tuple[RowsFound, "pa.Table", "pa.Table"]:
        """Return what is found, the new rows and the earlier ones: those with a label that is due."""
        import pyarrow as pa

        times = moments_of(self.loop.schema, self.rows)
        end = moment(self.until) - round(min(self.windows_s.values()) * SECOND)
        first = np.iinfo(np.int64).min if begins is None else moment(begins)
        new = self.rows.filter(pa.array((first <= times) & (times < end)))
        earlier = self.rows.filter(pa.array(times < first))
        found = RowsFound(
            outcome="joined",
            new=new.num_rows,
            earlier=earlier.num_rows,
            since=since,
            begins=begins,
            ends_before=as_time(end),
            until=self.until,
            windows_s=self.windows_s,
            holdout_s=self.loop.settings.evaluate.holdout_s,
            base_until=self.base_until,
            joined=self.joined,
            reason=f"{new.num_rows:,} new rows, {earlier.num_rows:,} earlier ones",
        )
        return found, new, earlier


def _since(loop: Loop, history: History) -> datetime | None:
    """Return from when on rows are taken: those that are replayed, and all whose labels the live run has not learned.

    None takes all.
    """
    ends = history.ends()
    number = len(ends) - 1 - loop.settings.rows.replay_cycles
    if number < 0:
        return None
    live = live_version(loop)
    learned = history.of_run(None if live is None else live.run_id) or history.last_with(TrainFound)
    if learned is None:
        return ends[number]
    return min(ends[number], first_unlearned(learned.found(RowsFound)))


def missing_files(loop: Loop) -> str | None:
    """Say what is not there yet of impressions and outcomes."""
    for what in ("impressions", "outcomes"):
        try:
            list_files(loop.path(getattr(loop.settings.rows, what)), SUFFIXES)
        except DataError as err:
            return f"{what}: {err}"
    return None


def _base(loop: Loop, since: datetime | None, history: History) -> "pa.Table | None":
    """Read the base logs, as far as they are taken; None where there are none."""
    import pyarrow as pa

    base, schema = loop.settings.rows.base, loop.schema
    first = history.cycles[0].find(RowsFound) if history.cycles else None
    is_older = first is not None and first.base_until is not None and since is not None and first.base_until < since
    if base is None or is_older:
        return None
    wanted = Wanted(columns=schema.training_columns, text=schema.text_columns, integers=schema.integer_columns)
    rows = _with_times(loop, read_table(loop.path(base), wanted))
    return rows if since is None else rows.filter(pa.array(moments_of(schema, rows) >= moment(since)))


def _with_times(loop: Loop, rows: "pa.Table") -> "pa.Table":
    """Return rows with the time column as integers in the schema's unit, as joined rows have it."""
    import pyarrow as pa

    schema = loop.schema
    times = Times(schema).read(rows[schema.time])
    return rows.set_column(rows.column_names.index(schema.time), schema.time, pa.array(times))


def _gathered(loop: Loop, since: datetime | None, base: "pa.Table | None", *, is_joined: bool) -> _Gathered:
    """Join, and put base logs before."""
    schema, rows = loop.schema, loop.settings.rows
    base_until = None if base is None or not base.num_rows else as_time(int(moments_of(schema, base).max()) + 1)
    if not is_joined and base is not None and base_until is not None:
        at_once = dict.fromkeys((task.name for task in schema.tasks), 0.0)
        return _Gathered(loop, base, base_until, at_once, base_until, None)
    windows = {task.name: rows.window_s(task.name) for task in schema.tasks}
    joined = join(schema, loop.path(rows.impressions), loop.path(rows.outcomes), join_options(loop, since))
    check_present(loop.path(rows.impressions), joined.table.column_names, schema.training_columns)
    found = joined.table.select(schema.training_columns)
    until = min(joined.counts.until, _all_due(schema, found, windows))
    if base is not None:
        found = _together(loop, base, found)
    return _Gathered(loop, found, until, joint_windows(schema, windows), base_until, joined.counts)


def _all_due(schema: Schema, rows: "pa.Table", windows: dict[str, float]) -> datetime:
    """Return when the windows of all rows are over: an outcome of a clock that is ahead brings no later end.

    Without this the next cycle would wait for rows that are shown after it.
    """
    if not rows.num_rows:
        return datetime.max.replace(tzinfo=UTC)
    unit = timedelta(seconds=1)  # times are in the schema's unit, rounded down
    return as_time(int(moments_of(schema, rows).max())) + timedelta(seconds=max(windows.values())) + unit


def joined_files(loop: Loop) -> list[Path]:
    """Return all that a join reads."""
    rows = loop.settings.rows
    named = (rows.impressions, rows.outcomes, rows.items, rows.positions)
    return [loop.path(each) for each in named if each is not None]


def join_options(loop: Loop, since: datetime | None) -> JoinOptions:
    """Return how impressions and outcomes are joined."""
    rows = loop.settings.rows
    return JoinOptions(
        windows_s={task.name: rows.window_s(task.name) for task in loop.schema.tasks},
        since=since,
        user=rows.user,
        item=rows.item,
        time=rows.time,
        items=None if rows.items is None else loop.path(rows.items),
        position=rows.position,
        positions=None if rows.positions is None else loop.path(rows.positions),
    )


def _together(loop: Loop, base: "pa.Table", joined: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    try:
        return pa.concat_tables([base, joined], promote_options="permissive")
    except pa.ArrowException as err:
        rows = loop.settings.rows
        raise DataError(f"{rows.base} and {rows.impressions} do not fit together: {first_line(err)}") from err


def _write(folder: Path, new: "pa.Table", earlier: "pa.Table") -> None:
    import pyarrow.parquet as pq

    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut off before its record
    with staged_directory(folder) as stage:
        pq.write_table(new, stage / NEW)
        if earlier.num_rows:
            pq.write_table(earlier, stage / EARLIER)
