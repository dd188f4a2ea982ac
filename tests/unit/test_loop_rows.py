"""Which rows a cycle learns from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.loop_cycles import hour, record, rows_found, train_found
from artefacts.shop_logs import BEGIN_S, LOOP, Shop, leave_journal, with_items

from polyrank.attribution import JoinOptions, join
from polyrank.errors import DataError
from polyrank.loop import Cycle, History, Loop
from polyrank.loop.findings import DriftFound, EvaluateFound, RowsFound
from polyrank.loop.steps import Done, Waiting
from polyrank.loop.steps.rows import RowsStep

RETRAINED = DriftFound(outcome="passed")


def run(shop: Shop) -> Done | Waiting:
    loop = Loop.load(shop.settings)
    history = History.read(loop)
    return RowsStep().run(history.current(loop), history)


def found(shop: Shop) -> RowsFound:
    result = run(shop)
    assert isinstance(result, Done)
    assert isinstance(result.found, RowsFound)
    return result.found


def waits(shop: Shop) -> str:
    result = run(shop)
    assert isinstance(result, Waiting)
    return result.reason


def written(shop: Shop, name: str, cycle: int = 1) -> pa.Table:
    return pq.read_table(shop.folder / "loop" / "cycles" / f"{cycle:06d}" / "rows" / name)


def end(shop: Shop, *until: float) -> None:
    """Have cycles that took in what was shown until then, and ended before they trained."""
    loop = Loop.load(shop.settings)
    for number, each in enumerate(until, 1):
        record(Cycle(loop, number), rows_found(each), DriftFound(outcome="stopped", ends=True))


def base_logs(rows: int, *, hours: tuple[float, float]) -> pa.Table:
    """Return labelled rows from before impressions were logged, evenly over some hours."""
    first, last = (round(1_000 * (BEGIN_S + each * 3_600)) for each in hours)
    step = (last - first) // rows
    return pa.table(
        {
            "user_id": [row % 50 for row in range(rows)],
            "item_id": [row % 30 for row in range(rows)],
            "price": [1.5] * rows,
            "is_click": [int(row % 3 == 0) for row in range(rows)],
            "is_buy": [int(row % 9 == 0) for row in range(rows)],
            "time_ms": [first + step * row for row in range(rows)],
        }
    )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    opened = Shop.open(tmp_path)
    opened.show(hours=(0, 4), rows=800)
    return opened


def test_first_cycle_takes_all_whose_labels_are_due(shop: Shop) -> None:
    rows = found(shop)
    joined = join(
        Loop.load(shop.settings).schema,
        shop.folder / "impressions",
        shop.folder / "outcomes",
        JoinOptions(window_s=1_800),
    )
    due = [each for each in joined.table["is_click"].to_pylist() if each is not None]
    new = written(shop, "new.parquet")
    assert new["is_click"].to_pylist() == due
    assert new.column_names == ["user_id", "item_id", "price", "is_click", "is_buy", "time_ms"]
    assert (rows.new, rows.earlier, rows.since, rows.begins) == (len(due), 0, None, None)
    assert rows.until == joined.counts.until
    assert not (shop.folder / "loop" / "cycles" / "000001" / "rows" / "earlier.parquet").exists()


@pytest.mark.parametrize("name", ["outcomes", "impressions"])
def test_a_time_from_the_future_does_not_end_the_loop(name: str, shop: Shop) -> None:
    folder, column = shop.folder / name, {"outcomes": "time", "impressions": "shown_at"}[name]
    first = pq.read_table(next(folder.rglob("*.parquet"))).slice(0, 1)
    future = pa.array([hour(24 * 365 * 50)], first.schema.field(column).type)
    pq.write_table(first.set_column(first.column_names.index(column), column, future), folder / "future.parquet")
    rows = found(shop)
    assert rows.until <= hour(4.3)
    assert 700 < rows.new < 800


def test_an_outcome_of_a_clock_that_is_ahead_by_hours_ends_nothing_later(shop: Shop) -> None:
    now = datetime.now(UTC)
    folder = shop.folder / "outcomes"
    first = pq.read_table(next(folder.iterdir())).slice(0, 1)
    ahead = pa.array([now + timedelta(hours=20)], first.schema.field("time").type)
    pq.write_table(first.set_column(first.column_names.index("time"), "time", ahead), folder / "ahead.parquet")
    rows = found(shop)
    assert rows.until <= hour(4.6)
    assert rows.new == 800


def test_too_few_new_rows_are_waited_for(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace("min_rows = 300", "min_rows = 5_000"))
    assert waits(shop).startswith("new rows whose labels are due: 7")
    assert waits(shop).endswith(" of 5,000")


def test_few_impressions_since_the_last_cycle_are_waited_for(shop: Shop) -> None:
    end(shop, 4)
    shown = pq.read_table(shop.folder / "impressions")["shown_at"].to_pylist()
    assert waits(shop) == f"new rows: {sum(time >= hour(3.5) for time in shown)} of 300"


def test_rows_of_the_hold_out_alone_do_not_train(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    shop.show(hours=(0, 1.6), rows=800)
    assert waits(shop).startswith("rows that are older than the hold-out of 1h: ")


def test_missing_files_are_waited_for(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    assert waits(shop).startswith(f"impressions: {tmp_path}/impressions does not exist; give a file")


def test_impressions_of_a_writer_that_died_are_taken(shop: Shop) -> None:
    before = found(shop).new
    leave_journal(next((shop.folder / "impressions").iterdir()))
    assert found(shop).new == before


def test_record_of_rows_names_items_and_positions_too(shop: Shop) -> None:
    with_items(shop)
    result = run(shop)
    assert isinstance(result, Done)
    assert [path.name for path in result.inputs] == ["impressions", "outcomes", "items.parquet"]


def test_next_cycle_begins_where_the_last_one_ended(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, seed=1)
    end(shop, 4)
    rows = found(shop)
    assert rows.begins == hour(3.5)
    ends = 1_000 * (BEGIN_S + 3.5 * 3_600)
    assert min(written(shop, "new.parquet", 2)["time_ms"].to_pylist()) >= ends
    assert max(written(shop, "earlier.parquet", 2)["time_ms"].to_pylist()) < ends
    assert rows.new + rows.earlier > 1_450


def test_earlier_rows_are_those_of_the_replayed_cycles(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace("min_rows = 300", "min_rows = 100\nreplay_cycles = 1"))
    shop.show(hours=(4, 8), rows=800, seed=1)
    end(shop, 2, 4, 6)
    rows = found(shop)
    assert (rows.since, rows.begins) == (hour(3.5), hour(5.5))
    assert min(written(shop, "earlier.parquet", 4)["time_ms"].to_pylist()) >= 1_000 * (BEGIN_S + 3.5 * 3_600)


def test_labels_that_no_training_has_learned_are_taken_however_old(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace("min_rows = 300", "min_rows = 100\nreplay_cycles = 0"))
    shop.show(hours=(4, 8), rows=800, seed=1)
    loop = Loop.load(shop.settings)
    record(
        Cycle(loop, 1),
        rows_found(3),
        RETRAINED,
        train_found(),
        EvaluateFound(outcome="failed", ends=True, live_version=None, live_run_id=None, rows=0, tasks=()),
    )
    record(Cycle(loop, 2), rows_found(5), DriftFound(outcome="stopped", ends=True))
    assert found(shop).since == hour(3 - 0.5 - 1)


def test_long_windows_are_waited_for_task_by_task(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace('window = "30m"', 'window = "30m"\nwindows = { buy = "3h" }'))
    rows = found(shop)
    new = written(shop, "new.parquet")
    known = [
        time
        for time, label in zip(new["time_ms"].to_pylist(), new["is_buy"].to_pylist(), strict=True)
        if label is not None
    ]
    assert rows.windows_s == {"click": 1_800.0, "buy": 10_800.0}
    assert max(known) < 1_000 * rows.until.timestamp() - 10_800_000 < max(new["time_ms"].to_pylist())


def test_base_logs_alone_are_a_first_cycle(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path, LOOP.replace('outcomes = "outcomes"', 'outcomes = "outcomes"\nbase = "base.parquet"'))
    logs = base_logs(600, hours=(-12, 0))
    pq.write_table(logs, tmp_path / "base.parquet")
    rows = found(shop)
    assert (rows.new, rows.earlier, rows.joined) == (600, 0, None)
    assert rows.ends_before == rows.until == rows.base_until
    assert written(shop, "new.parquet")["is_click"].to_pylist() == logs["is_click"].to_pylist()


def test_base_logs_come_before_impressions(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace('outcomes = "outcomes"', 'outcomes = "outcomes"\nbase = "base.parquet"'))
    pq.write_table(base_logs(600, hours=(-12, 0)), shop.folder / "base.parquet")
    rows = found(shop)
    assert rows.new > 600 + 650
    assert rows.base_until is not None
    assert rows.base_until <= hour(0)


def test_base_logs_are_left_alone_once_they_are_too_old(shop: Shop) -> None:
    text = LOOP.replace('outcomes = "outcomes"', 'outcomes = "outcomes"\nbase = "gone.parquet"')
    shop.settings.write_text(text.replace("min_rows = 300", "min_rows = 100\nreplay_cycles = 0"))
    loop = Loop.load(shop.settings)
    record(
        Cycle(loop, 1), msgspec.structs.replace(rows_found(2), base_until=hour(0)), DriftFound(outcome="x", ends=True)
    )
    assert found(shop).since == hour(1.5)


def test_columns_that_impressions_lack_are_named(shop: Shop) -> None:
    file = next((shop.folder / "impressions").iterdir())
    pq.write_table(pq.read_table(file).drop_columns(["price"]), file)
    with pytest.raises(DataError, match="impressions: column 'price' is missing"):
        run(shop)


def test_base_logs_of_other_types_are_refused(shop: Shop) -> None:
    shop.settings.write_text(LOOP.replace('outcomes = "outcomes"', 'outcomes = "outcomes"\nbase = "base.parquet"'))
    logs = base_logs(600, hours=(-12, 0))
    pq.write_table(logs.set_column(2, "price", pa.array([["x"]] * 600)), shop.folder / "base.parquet")
    with pytest.raises(DataError, match=r"base\.parquet and impressions do not fit together: .*"):
        run(shop)


def test_rows_of_an_attempt_that_was_cut_off_are_written_anew(shop: Shop) -> None:
    first = found(shop)
    shop.show(hours=(4, 8), rows=800, seed=1)
    second = found(shop)
    assert second.new > first.new
    assert written(shop, "new.parquet").num_rows == second.new
