"""Joins of outcomes to impressions beside the same in plain Python, event by event."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrank.attribution import JoinOptions, join, join_to_file
from polyrank.schema import Schema

SCHEMA = Schema.from_toml(
    """
    name = "shop"
    time = "time_s"
    time_unit = "s"
    [[features]]
    name = "user_id"
    kind = "categorical"
    dtype = "text"
    side = "user"
    num_buckets = 10
    [[features]]
    name = "item_id"
    kind = "categorical"
    dtype = "text"
    side = "item"
    num_buckets = 10
    [[tasks]]
    name = "click"
    kind = "binary"
    label = "clicked"
    [[tasks]]
    name = "plays"
    kind = "count"
    label = "num_plays"
    [[tasks]]
    name = "stars"
    kind = "regression"
    label = "stars_given"
    when = "clicked"
    """
)
WINDOWS = {"click": 3, "plays": 5, "stars": 8}
ZERO = datetime(2026, 1, 1, tzinfo=UTC)

USER_OF = {"r1": "7", "r2": "7", "ñ": "ünïcode ☃", "r4": None}
"""A request is of one user."""

REQUEST_OF = {"e1": "r1", "e2": "ñ", "e3": None}
"""An event is delivered again as it was, save for its time and value."""

KEYS = st.sampled_from(["7", "ünïcode ☃", "ünïcode ☃", None, ""])
SECONDS = st.integers(0, 12)


@dataclasses.dataclass(frozen=True)
class Shown:
    """An impression."""

    request_id: str | None
    user_id: str | None
    item_id: str | None
    at: int
    rank: int


@dataclasses.dataclass(frozen=True)
class Event:
    """An outcome."""

    request_id: str | None
    user_id: str | None
    item_id: str | None
    at: int
    task: str
    value: float
    event_id: str | None


@st.composite
def impressions(draw: st.DrawFn) -> Shown:
    request = draw(st.sampled_from([None, *USER_OF]))
    user = draw(KEYS) if request is None else USER_OF[request]
    return Shown(request, user, draw(KEYS), draw(SECONDS), draw(st.integers(1, 3)))


@st.composite
def events(draw: st.DrawFn) -> Event:
    event = draw(st.sampled_from([None, *REQUEST_OF]))
    request = draw(st.sampled_from([None, *USER_OF])) if event is None else REQUEST_OF[event]
    user = draw(KEYS) if event is None else "b"
    task, value = draw(st.sampled_from(sorted(WINDOWS))), draw(st.sampled_from([0.0, 1.0]))
    return Event(request, user, draw(KEYS), draw(SECONDS), task, value, event)


SHOWN = st.lists(impressions(), min_size=1, max_size=12)
EVENTS = st.lists(events(), min_size=1, max_size=25)


def without_repeats(shown: list[Shown]) -> list[Shown]:
    seen, kept = set(), []
    for each in sorted(shown, key=lambda one: (one.at, one.request_id is None, one.request_id or "", one.rank)):
        name: tuple[object, ...] | None = None
        if each.item_id is not None and each.request_id is not None:
            name = (each.request_id, each.item_id)
        elif each.item_id is not None and each.user_id is not None:
            name = (each.user_id, each.item_id, each.at)
        if name is None or name not in seen:
            seen.add(name)
            kept.append(each)
    return kept


def without_duplicates(happened: list[Event]) -> list[Event]:
    seen, kept = set(), []
    for each in sorted(happened, key=lambda one: (one.at, one.value)):
        name = each if each.event_id is None else (each.task, each.item_id, each.event_id)
        if name not in seen:
            seen.add(name)
            kept.append(each)
    return kept


def place_of(event: Event, shown: list[Shown]) -> int | None:
    """Return the last that is of the event; `shown` ascends."""
    found = None
    for place, each in enumerate(shown):
        if event.request_id is None:
            is_its = event.user_id is not None and each.user_id == event.user_id
        else:
            is_its = each.request_id == event.request_id
        if is_its and each.at <= event.at and event.item_id is not None and each.item_id == event.item_id:
            found = place
    return found


@dataclasses.dataclass
class Expected:
    """Rows with labels, and what became of events by task."""

    rows: list[tuple[object, ...]]
    counts: dict[str, dict[str, int]]


def expected(shown: list[Shown], happened: list[Event], until: int, since: int) -> Expected:
    shown = [each for each in without_repeats(shown) if each.at < until]
    first = [each for each in without_duplicates(happened) if each.at < until]
    counts = {task: dict.fromkeys(FATES, 0) for task in WINDOWS}
    values: dict[tuple[int, str], list[float]] = {}
    for event in first:
        place = place_of(event, shown)
        if place is None:
            counts[event.task]["without_impression"] += 1
        elif shown[place].at < since:
            counts[event.task]["left_out"] += 1
        elif event.at - shown[place].at > WINDOWS[event.task]:
            counts[event.task]["late"] += 1
        else:
            counts[event.task]["attributed"] += 1
            values.setdefault((place, event.task), []).append(event.value)
    for event in happened:
        counts[event.task]["duplicates"] += event.at < until
    for event in first:
        counts[event.task]["duplicates"] -= 1
    rows = [
        (*dataclasses.astuple(each), *(label(task, values.get((place, task), []), each.at, until) for task in WINDOWS))
        for place, each in enumerate(shown)
        if each.at >= since
    ]
    return Expected(rows, counts)


def label(task: str, values: list[float], at: int, until: int) -> float | None:
    if at + WINDOWS[task] >= until:
        return None
    if task == "stars":
        return values[-1] if values else None
    return sum(values) if task == "plays" else max(values, default=0.0)


FATES = ("attributed", "late", "without_impression", "duplicates", "left_out")


def shown_table(shown: list[Shown]) -> pa.Table:
    return pa.table(
        {
            "request_id": pa.array([each.request_id for each in shown], pa.string()),
            "user_id": pa.array([each.user_id for each in shown], pa.string()),
            "item_id": pa.array([each.item_id for each in shown], pa.string()),
            "shown_at": pa.array([ZERO + timedelta(seconds=each.at) for each in shown], pa.timestamp("us", tz="UTC")),
            "rank": pa.array([each.rank for each in shown], pa.int32()),
        }
    )


def event_table(happened: list[Event]) -> pa.Table:
    return pa.table(
        {
            "request_id": pa.array([each.request_id for each in happened], pa.string()),
            "user_id": pa.array([each.user_id for each in happened], pa.string()),
            "item_id": pa.array([each.item_id for each in happened], pa.string()),
            "time": pa.array([seconds(each.at) for each in happened], pa.int64()),
            "task": [each.task for each in happened],
            "value": pa.array([each.value for each in happened], pa.float64()),
            "event_id": pa.array([each.event_id for each in happened], pa.string()),
        }
    )


def seconds(at: int) -> int:
    return int(ZERO.timestamp()) + at


def write(folder: Path, name: str, table: pa.Table, cut: int) -> Path:
    """Write rows as two files, the later ones first."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.slice(cut), place / "a.parquet")
    pq.write_table(table.slice(0, cut), place / "b.parquet")
    return place


def found_rows(table: pa.Table) -> list[tuple[object, ...]]:
    names = ("request_id", "user_id", "item_id", "time_s", "rank", "clicked", "num_plays", "stars_given")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def as_sorted(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=repr)


@given(
    SHOWN,
    EVENTS,
    st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(1, 20)),
    st.sampled_from(["file", "table"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_joins_are_those_of_plain_python(
    tmp_path: Path, shown: list[Shown], happened: list[Event], limits: tuple[int, int, int], form: str
) -> None:
    cut, since, span = limits
    until = since + span
    impressions_at = write(tmp_path, "impressions", shown_table(shown), cut)
    outcomes_at = write(tmp_path, "outcomes", event_table(happened), cut)
    options = JoinOptions(windows_s=WINDOWS, until=seconds(until), since=seconds(since))
    if form == "file":
        counts = join_to_file(SCHEMA, impressions_at, outcomes_at, tmp_path / "rows.parquet", options)
        table = pq.read_table(tmp_path / "rows.parquet")
    else:
        joined = join(SCHEMA, impressions_at, outcomes_at, options)
        counts, table = joined.counts, joined.table
    told = expected(shown, happened, until, since)
    wanted = [(*row[:3], seconds(int(str(row[3]))), *row[4:]) for row in told.rows]
    assert as_sorted(found_rows(table)) == as_sorted(wanted)
    assert {each.task: {fate: getattr(each, fate) for fate in FATES} for each in counts.tasks} == told.counts


@given(SHOWN, EVENTS, st.randoms())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_no_order_of_rows_changes_a_join(
    tmp_path: Path, shown: list[Shown], happened: list[Event], random: Any
) -> None:
    first = join(SCHEMA, write(tmp_path, "a", shown_table(shown), 3), write(tmp_path, "b", event_table(happened), 2))
    random.shuffle(shown)
    random.shuffle(happened)
    second = join(SCHEMA, write(tmp_path, "a", shown_table(shown), 5), write(tmp_path, "b", event_table(happened), 1))
    assert first.table.to_pylist() == second.table.to_pylist()
    assert first.counts == second.counts
