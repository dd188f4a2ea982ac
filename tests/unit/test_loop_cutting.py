"""Where event time is cut, beside plain Python on each row."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from artefacts.loop_cycles import hour, rows_found
from artefacts.shop_logs import SCHEMA

from polyrank.errors import DataError
from polyrank.loop.cutting import Cut, as_time, first_unlearned, joint_windows, moment, moments_of
from polyrank.schema import Schema

SHOP = Schema.from_toml(SCHEMA)
CLICK, BUY = SHOP.tasks
SECOND = 1_000_000
CUT = Cut(SHOP, until=1_000 * SECOND, windows={"click": 100 * SECOND, "buy": 400 * SECOND}, holdout=50 * SECOND)


def rows(*seconds: int) -> pa.Table:
    count = len(seconds)
    return pa.table(
        {"time_ms": [1_000 * each for each in seconds], "is_click": [1] * count, "is_buy": pa.array([0] * count)}
    )


def test_rows_end_where_the_shortest_window_is_not_over() -> None:
    assert CUT.end == 900 * SECOND


def test_each_task_learns_and_judges_up_to_its_own_window() -> None:
    assert (CUT.learned(CLICK), CUT.due(CLICK)) == (850 * SECOND, 900 * SECOND)
    assert (CUT.learned(BUY), CUT.due(BUY)) == (550 * SECOND, 600 * SECOND)


def test_rows_are_unlearned_from_the_longest_window_and_the_hold_out_on() -> None:
    found = msgspec.structs.replace(rows_found(10), windows_s={"click": 1_800.0, "buy": 7_200.0})
    assert first_unlearned(found) == hour(10 - 2 - 1)


def test_task_that_came_after_the_rows_is_named() -> None:
    found = msgspec.structs.replace(rows_found(10), windows_s={"click": 1_800.0})
    with pytest.raises(DataError, match="task 'buy' came into the schema after rows were taken; remove the folder"):
        Cut.of(SHOP, found)


def test_labels_of_the_hold_out_are_null_in_training_rows() -> None:
    found = CUT.training(rows(0, 549, 550, 849, 850, 899))
    assert found["time_ms"].to_pylist() == [0, 549_000, 550_000, 849_000]
    assert found["is_click"].to_pylist() == [1, 1, 1, 1]
    assert found["is_buy"].to_pylist() == [0, 0, None, None]


def test_no_label_is_both_learned_from_and_judged_by() -> None:
    times = np.random.default_rng(0).integers(0, 1_000, 400).tolist()
    table = rows(*times)
    learned = CUT.training(table)
    judged = CUT.judged(table)
    for place, (name, window) in enumerate((("is_click", 100), ("is_buy", 400))):
        ends = 1_000 - window
        assert judged[:, place].tolist() == [ends - 50 <= time < ends for time in times]
        known = sorted(
            time
            for time, label in zip(learned["time_ms"].to_pylist(), learned[name].to_pylist(), strict=True)
            if label is not None
        )
        assert known == sorted(1_000 * time for time in times if time < ends - 50)


@pytest.mark.parametrize(("unit", "value"), [("s", 12), ("ms", 12_000), ("us", 12_000_000), ("ns", 12_000_000_999)])
def test_times_are_microseconds_whatever_the_unit(unit: str, value: int) -> None:
    schema = Schema.from_toml(SCHEMA.replace('time = "time_ms"', f'time = "at"\ntime_unit = "{unit}"'))
    assert moments_of(schema, pa.table({"at": [value]})).tolist() == [12 * SECOND]


def test_times_and_moments_are_each_others_inverse() -> None:
    time = datetime(2026, 7, 1, 12, 30, 0, 123_456, tzinfo=UTC)
    assert as_time(moment(time)) == time
    assert moment(datetime(1970, 1, 2, tzinfo=UTC)) == 86_400 * SECOND


def test_task_waits_as_long_as_what_it_is_observed_under() -> None:
    text = SCHEMA.replace('label = "is_buy"', 'label = "is_buy", when = "is_click"')
    assert joint_windows(Schema.from_toml(text), {"click": 60.0, "buy": 5.0}) == {"click": 60.0, "buy": 60.0}
    assert joint_windows(Schema.from_toml(text), {"click": 5.0, "buy": 60.0}) == {"click": 5.0, "buy": 60.0}
