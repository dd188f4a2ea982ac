"""What became of outcomes in a join."""

from datetime import datetime
from typing import ClassVar

import msgspec

from polyrank.result_files import ResultFile


class TaskCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the outcomes of a task: `events` is the sum of the next five.

    Attributes:
        task: its name.
        window_s: seconds after an impression within which an outcome counts.
        events: all outcomes of the task.
        attributed: those that count for an impression.
        late: those after the window of their impression, which count for none.
        without_impression: those of what was not shown before.
        duplicates: those that were there before.
        left_out: those of impressions before `since`.
        labels: rows with a label that is observed.
        pending: rows without a label, since the window of theirs is not over.
        mean_label: of the observed ones, which of a binary task is the share of 1; None of classes, and without any.
    """

    task: str
    window_s: float
    events: int
    attributed: int
    late: int
    without_impression: int
    duplicates: int
    left_out: int
    labels: int
    pending: int
    mean_label: float | None


class JoinCounts(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """What a join did.

    Attributes:
        rows: joined ones: impressions without repeated ones.
        repeated: impressions of an item in one request beyond the first, which are dropped.
        items_not_found: rows whose item the table of items lacks; 0 without a table.
        other_tasks: outcomes by their task where the schema has none of that name, which are left alone.
        ahead: impressions shown more than a day after now, which are left out; 0 where `until` is given.
        not_yet: outcomes at `until` and later, which are left alone.
        until: what was shown or happened before was taken in.
        settled: labels of rows that were shown before are final, whatever comes.
        item: column of items.
        user: column of users; None where every outcome had a request id.
        tasks: one for each of the schema, in its order.
        format: of this file.
    """

    noun: ClassVar[str] = "join"
    verb: ClassVar[str] = "join"
    newest: ClassVar[int] = 1

    rows: int
    repeated: int
    items_not_found: int
    other_tasks: dict[str, int]
    not_yet: int
    until: datetime
    settled: datetime
    item: str
    user: str | None
    tasks: tuple[TaskCounts, ...]
    ahead: int = 0
    format: int = 1
