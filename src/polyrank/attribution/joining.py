"""Joins outcomes to impressions."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import UTF8
from polyrank.schema import Schema

from .happened import Happened
from .instants import EARLIEST, as_datetime, instant
from .labelling import Labels, attribute, windows_us
from .options import JoinOptions
from .reading import join_keys, read_impressions, read_outcomes
from .results import JoinCounts
from .shown import Shown
from .writing import check_apart, labelled

if TYPE_CHECKING:
    import pyarrow as pa


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
    impressions: Path,
    outcomes: Path,
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

    options = options or JoinOptions()
    windows, keys = windows_us(schema, options), join_keys(schema, options, encoding)
    until, since = _limits(schema, options)
    rows, shown, repeated = read_impressions(schema, Path(impressions), keys)
    check_apart(schema, options, rows.column_names)
    happened, other_tasks = read_outcomes(schema, Path(outcomes), keys, options.time)
    until = _newest(shown, happened) + 1 if until is None else until
    shown, seen = shown[shown.times < until], happened[happened.times < until]
    labels = Labels(schema, shown, attribute(shown, seen), windows, until)
    kept = shown.times >= since
    chosen = shown[kept]
    columns = {name: values[kept] for name, values in labels.columns.items()}
    table = labelled(schema, options, rows.take(pa.array(chosen.places)), chosen, columns)
    counts = JoinCounts(
        rows=len(chosen),
        repeated=repeated,
        items_not_found=0,
        other_tasks=dict(sorted(other_tasks.items())),
        not_yet=len(happened) - len(seen),
        until=as_datetime(until),
        settled=as_datetime(until - max(windows.values())),
        item=keys.item,
        user=keys.user,
        tasks=tuple(labels.counts(place, kept) for place in range(len(schema.tasks))),
    )
    return Joined(table, counts)


def _limits(schema: Schema, options: JoinOptions) -> tuple[int | None, int]:
    until = None if options.until is None else instant("until", options.until, schema.time_unit)
    return until, EARLIEST if options.since is None else instant("since", options.since, schema.time_unit)


def _newest(shown: Shown, happened: Happened) -> int:
    return max(int(times.max()) for times in (shown.times, happened.times) if len(times))
