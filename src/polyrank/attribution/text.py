"""What became of outcomes, as text."""

from collections.abc import Iterator

from .results import JoinCounts, TaskCounts

_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60))


def count_rows(counts: JoinCounts) -> list[tuple[str, ...]]:
    """Return the rows of a table, its header first."""
    has_left_out = any(task.left_out for task in counts.tasks)
    left_out = ("before since",) if has_left_out else ()
    header = ("task", "window", "events", "attributed", "late", "without impression", "duplicates", *left_out)
    return [(*header, "labels", "mean", "pending"), *(_row(task, has_left_out=has_left_out) for task in counts.tasks)]


def count_lines(counts: JoinCounts, out: str) -> Iterator[str]:
    """Return what else there is to know, a line each."""
    dropped = f", {counts.repeated:,} repeated ones dropped" if counts.repeated else ""
    yield f"{out}: {counts.rows:,} rows until {counts.until.isoformat()}{dropped}"
    if any(task.pending for task in counts.tasks):
        yield f"labels are final of what was shown before {counts.settled.isoformat()}; join again for the others"
    for task in counts.tasks:
        if not task.events:
            yield f"task {task.task!r} has no event; is it written otherwise in the outcomes?"
        elif not task.attributed:
            yield f"task {task.task!r}: no event counts; are items ({counts.item}), users and times in the same terms?"
    if counts.other_tasks:
        named = ", ".join(f"{name!r} {events:,}" for name, events in counts.other_tasks.items())
        yield f"events of tasks that the schema has not, left alone: {named}"
    if counts.ahead:
        yield f"impressions shown more than a day after now, left out: {counts.ahead:,}; which clock is ahead?"
    if counts.not_yet:
        yield f"events after that time, left alone: {counts.not_yet:,}"
    if counts.items_not_found:
        yield f"rows whose item the table of items lacks: {counts.items_not_found:,}"


def _row(task: TaskCounts, *, has_left_out: bool) -> tuple[str, ...]:
    return (
        task.task,
        _duration(task.window_s),
        *(f"{n:,}" for n in (task.events, task.attributed, task.late, task.without_impression, task.duplicates)),
        *((f"{task.left_out:,}",) if has_left_out else ()),
        f"{task.labels:,}",
        "" if task.mean_label is None else f"{task.mean_label:.4g}",
        f"{task.pending:,}",
    )


def _duration(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
