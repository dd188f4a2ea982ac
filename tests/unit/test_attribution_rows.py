"""Joined rows: their order and columns, files of several kinds, and what is refused."""

import re
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from joins import SECONDS, SHOP, at, happened, shown, write

from polyrank.attribution import JoinOptions, join, join_to_file, seconds
from polyrank.attribution.instants import instant
from polyrank.errors import ConfigError, DataError
from polyrank.positions import Positions, RankExamination

ONE = shown([("r", 1, 7, 0)])
CLICK = happened([("r", 7, 1, "click")])


def test_rows_come_by_time_request_and_rank(tmp_path: Path) -> None:
    impressions = shown([("b", 1, 7, 5), ("a", 1, 7, 5), ("c", 1, 7, 1), ("a", 1, 8, 5)]).take([3, 0, 2, 1])
    table = join(SHOP, *write(tmp_path, impressions, CLICK)).table
    assert list(zip(table["request_id"].to_pylist(), table["item_id"].to_pylist(), strict=True)) == [
        ("c", 7),
        ("a", 7),
        ("a", 8),
        ("b", 7),
    ]


def test_the_schemas_time_is_when_an_item_was_shown(tmp_path: Path) -> None:
    assert join(SHOP, *write(tmp_path, shown([("r", 1, 7, 12.5)]), CLICK)).table["time_s"].to_pylist() == [SECONDS + 12]


def test_position_is_the_rank_under_a_name(tmp_path: Path) -> None:
    table = join(SHOP, *write(tmp_path, ONE, CLICK), JoinOptions(position="place")).table
    assert table["place"].to_pylist() == [1]


def test_place_that_was_asked_with_gives_way_to_the_one_it_was_shown_at(tmp_path: Path) -> None:
    place = {"name": "place", "kind": "categorical", "dtype": "int64", "side": "context", "num_buckets": 10}
    features = [*msgspec.to_builtins(SHOP)["features"], place]
    schema = msgspec.convert(msgspec.to_builtins(SHOP) | {"features": features}, type(SHOP)).resolved()
    asked = shown([("r", 1, 7, 0), ("r", 1, 8, 0), ("r", 1, 9, 0)], place=[1, 1, 1])
    table = join(schema, *write(tmp_path, asked, CLICK), JoinOptions(position="place")).table
    assert table["place"].to_pylist() == table["rank"].to_pylist() == [1, 2, 3]


def test_files_of_other_columns_and_types_go_together(tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    folder.mkdir()
    pq.write_table(ONE, folder / "a.parquet")
    text = shown([("s", 1, 8, 1)], device=["phone"])
    pq.write_table(text.set_column(3, "user_id", pa.array([1.0])), folder / "b.parquet")
    pq.write_table(CLICK, tmp_path / "outcomes.parquet")
    table = join(SHOP, folder, tmp_path / "outcomes.parquet").table
    assert table["device"].to_pylist() == [None, "phone"]
    assert table["user_id"].to_pylist() == [1, 1]


def test_outcomes_of_csv_hold_times_in_the_schemas_unit(tmp_path: Path) -> None:
    impressions, _ = write(tmp_path, ONE, CLICK)
    (tmp_path / "outcomes.csv").write_text(f"request_id,item_id,time,task\nr,7,{SECONDS + 1},click\n")
    assert join(SHOP, impressions, tmp_path / "outcomes.csv").counts.tasks[0].attributed == 1


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "outcomes"
    folder.mkdir()
    impressions, _ = write(tmp_path, ONE, CLICK)
    pq.write_table(CLICK, folder / "a.parquet")
    (folder / ".b.parquet").write_bytes(b"PAR1")
    assert join(SHOP, impressions, folder).counts.tasks[0].events == 1


def test_items_give_the_features_that_impressions_lack(tmp_path: Path) -> None:
    price = msgspec.toml.decode('name = "price"\nkind = "numeric"\nside = "item"')
    features = [*msgspec.to_builtins(SHOP)["features"], price]
    schema = msgspec.convert(msgspec.to_builtins(SHOP) | {"features": features}, type(SHOP)).resolved()
    items = pa.table({"item_id": ["8", "7"], "price": [8.5, 7.5], "other": [1, 2]})
    pq.write_table(items, tmp_path / "items.parquet")
    impressions = shown([("r", 1, 7, 0), ("r", 1, 9, 0)])
    found = join(schema, *write(tmp_path, impressions, CLICK), JoinOptions(items=tmp_path / "items.parquet"))
    assert found.table["price"].to_pylist() == [7.5, None]
    assert "other" not in found.table.column_names
    assert found.counts.items_not_found == 1


WEIGHED = msgspec.structs.replace(SHOP, sample_weight="weight")
POSITIONS = Positions(
    task="click",
    method="pairs",
    confidence=0.95,
    limit=4.0,
    users=9,
    rows=90,
    ranks=tuple(
        RankExamination(rank=rank, examination=share, interval=None, impressions=30, clicks=9)
        for rank, share in ((1, 1.0), (2, 0.5), (3, 0.1))
    ),
)


def test_clicks_are_weighed_by_their_place(tmp_path: Path) -> None:
    POSITIONS.save(tmp_path / "positions.json")
    impressions = shown([("r", 1, item, 0) for item in (7, 8, 9, 10)])
    outcomes = happened([("r", item, 1, "click") for item in (7, 8, 10)])
    options = JoinOptions(positions=tmp_path / "positions.json", until=at(9_000))
    table = join(WEIGHED, *write(tmp_path, impressions, outcomes), options).table
    assert table["weight"].to_pylist() == [1.0, 2.0, 1.0, 4.0]


def test_rows_without_a_click_need_no_place_to_weigh(tmp_path: Path) -> None:
    POSITIONS.save(tmp_path / "positions.json")
    impressions = shown([("r", 1, item, 0) for item in (7, 8)])
    impressions = impressions.set_column(
        impressions.column_names.index("rank"), "rank", pa.array([1, None], pa.int32())
    )
    options = JoinOptions(positions=tmp_path / "positions.json", until=at(9_000))
    assert join(WEIGHED, *write(tmp_path, impressions, CLICK), options).table["weight"].to_pylist() == [1.0, 1.0]


@pytest.mark.parametrize(("rank", "held"), [(None, "is missing"), (0, "holds 0")])
def test_click_whose_place_is_not_known_is_refused(tmp_path: Path, rank: int | None, held: str) -> None:
    POSITIONS.save(tmp_path / "positions.json")
    impressions = ONE.set_column(ONE.column_names.index("rank"), "rank", pa.array([rank], pa.int32()))
    options = JoinOptions(positions=tmp_path / "positions.json", until=at(9_000))
    with pytest.raises(
        DataError, match=f"column 'rank' {held} for a click on what was shown at 2026-01-01 .*; places from 1 expected"
    ):
        join(WEIGHED, *write(tmp_path, impressions, CLICK), options)


def test_without_positions_rows_weigh_alike(tmp_path: Path) -> None:
    assert join(WEIGHED, *write(tmp_path, ONE, CLICK)).table["weight"].to_pylist() == [1.0]


def test_no_row_left_is_a_table_of_all_columns(tmp_path: Path) -> None:
    table = join(SHOP, *write(tmp_path, ONE, CLICK), JoinOptions(since=at(50))).table
    assert table.num_rows == 0
    assert {"user_id", "item_id", "clicked", "num_plays", "stars", "time_s"} <= set(table.column_names)


def test_a_file_of_rows_is_the_table_of_a_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.attribution.gathering.MAX_ROWS", 2)
    impressions = shown([(f"r{each % 3}", 1, each, 20 - each) for each in range(9)])
    places = write(tmp_path, impressions, happened([("r1", 4, 30, "click")]))
    counts = join_to_file(SHOP, *places, tmp_path / "rows.parquet")
    found = join(SHOP, *places)
    assert pq.read_table(tmp_path / "rows.parquet") == found.table.combine_chunks()
    assert counts == found.counts
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "impressions.parquet",
        "outcomes.parquet",
        "rows.parquet",
    ]


@pytest.mark.parametrize("column", ["clicked", "stars", "time_s", "weight"])
def test_a_position_is_no_column_of_something_else(tmp_path: Path, column: str) -> None:
    with pytest.raises(
        ConfigError, match=f"position must be a column of its own, got '{column}', which is .* of the sch"
    ):
        join(WEIGHED, *write(tmp_path, ONE, CLICK), JoinOptions(position=column))


def without(table: pa.Table, name: str) -> pa.Table:
    return table.drop_columns([name])


REFUSED = {
    "no time of an impression": (
        without(ONE, "shown_at"),
        CLICK,
        {},
        r"impressions\.parquet: column 'shown_at' is missing",
    ),
    "no item of an outcome": (ONE, without(CLICK, "item_id"), {}, r"outcomes\.parquet: column 'item_id' is missing"),
    "no time of an outcome": (ONE, CLICK, {"time": "when"}, r"outcomes\.parquet: column 'when' is missing"),
    "no task": (ONE, without(CLICK, "task"), {}, r"outcomes\.parquet: column 'task' is missing"),
    "neither request nor user": (
        ONE,
        without(CLICK, "request_id"),
        {},
        "has no column 'request_id' or of users, 'user_id'; outcomes need one or the other",
    ),
    "null time": (
        ONE,
        CLICK.set_column(2, "time", pa.array([None], pa.timestamp("us"))),
        {},
        "time column 'time' is missing at row 1; every row needs its time",
    ),
    "label among the impressions": (
        shown([("r", 1, 7, 0)], clicked=[1]),
        CLICK,
        {},
        "impressions have a column 'clicked', the label of task 'click', which outcomes give; leave it out",
    ),
    "wrong label": (
        ONE,
        happened([("r", 7, 1, "click")], value=[2.0]),
        {},
        re.escape(
            "outcomes.parquet: column 'value' holds 2 at row 1; 0 or 1 expected for a binary task (task 'click')"
        ),
    ),
    "no value of a rating": (
        ONE,
        happened([("r", 7, 1, "stars")], value=pa.array([None], pa.float64())),
        {},
        re.escape("column 'value' is missing at row 1; a number expected for a regression task (task 'stars')"),
    ),
    "position without rank": (
        without(ONE, "rank"),
        CLICK,
        {"position": "place"},
        "position needs the column 'rank', which impressions have not",
    ),
    "position that is there": (
        shown([("r", 1, 7, 0)], place=[1]),
        CLICK,
        {"position": "place"},
        "impressions have a column 'place', which a join gives with position; leave it out",
    ),
    "time in another unit": (
        ONE,
        CLICK.set_column(2, "time", pa.array([2**62])),
        {},
        "time column 'time' holds 4611686018427387904 at row 1; integers in s since 1970 expected, see time_unit",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_do_not_join_are_refused_in_a_line(tmp_path: Path, case: str) -> None:
    impressions, outcomes, options, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        join(SHOP, *write(tmp_path, impressions, outcomes), JoinOptions(**options))  # type: ignore[arg-type]


def test_empty_impressions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"impressions\.parquet holds no row"):
        join(SHOP, *write(tmp_path, ONE.slice(1), CLICK))


def test_an_item_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": [7, 7]}), tmp_path / "items.parquet")
    with pytest.raises(DataError, match=r"items\.parquet: item 7 is there again at row 2; one row for each item"):
        join(SHOP, *write(tmp_path, ONE, CLICK), JoinOptions(items=tmp_path / "items.parquet"))


def test_weights_need_a_column_of_the_schema(tmp_path: Path) -> None:
    POSITIONS.save(tmp_path / "positions.json")
    with pytest.raises(ConfigError, match=r'the schema has none; add sample_weight = "weight" to the schema'):
        join(SHOP, *write(tmp_path, ONE, CLICK), JoinOptions(positions=tmp_path / "positions.json"))


def test_positions_of_another_task_are_refused(tmp_path: Path) -> None:
    msgspec.structs.replace(POSITIONS, task="buy").save(tmp_path / "positions.json")
    with pytest.raises(ConfigError, match="positions must be of a binary task of the schema, got 'buy'"):
        join(WEIGHED, *write(tmp_path, ONE, CLICK), JoinOptions(positions=tmp_path / "positions.json"))


def test_a_window_of_an_unknown_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"windows_s must be of tasks of the schema, got 'clik'; .* did you mean 'click'"
    ):
        join(SHOP, *write(tmp_path, ONE, CLICK), JoinOptions(windows_s={"clik": 3}))


def test_tasks_of_one_label_need_one_window(tmp_path: Path) -> None:
    other = msgspec.structs.replace(SHOP.tasks[0], name="tap")
    schema = msgspec.structs.replace(SHOP, tasks=(*SHOP.tasks, other))
    with pytest.raises(ConfigError, match="windows_s must be alike for tasks 'click' and 'tap', which have one label"):
        join(schema, *write(tmp_path, ONE, CLICK), JoinOptions(windows_s={"click": 3}))


def test_a_schema_without_items_needs_their_column(tmp_path: Path) -> None:
    schema = msgspec.structs.replace(SHOP, features=SHOP.features[:1])
    with pytest.raises(DataError, match="schema has no categorical feature of items; name the column of items"):
        join(schema, *write(tmp_path, ONE, CLICK))


@pytest.mark.parametrize(
    ("text", "expected"), [("45s", 45), ("30m", 1_800), ("1.5h", 5_400), ("7d", 604_800), ("2w", 1_209_600), ("9", 9)]
)
def test_durations_are_read_in_their_units(text: str, expected: float) -> None:
    assert seconds("window", text) == expected


@pytest.mark.parametrize("value", ["", "5y", "-3s", "0", 0, float("nan"), float("inf"), None, True, "101000w"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="window must be a duration above 0 and up to 100 years, such as 45s"):
        seconds("window", value)


@pytest.mark.parametrize(
    "value", [SECONDS, str(SECONDS), "2026-01-01", "2026-01-01T01:00:00+01:00", at(0), at(0).replace(tzinfo=None)]
)
def test_times_are_read_in_every_form(value: object) -> None:
    assert instant("until", value, "s") == SECONDS * 1_000_000


@pytest.mark.parametrize("value", ["yesterday", None, 1.5, True, 2**70])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="until must be a time such as 2026-07-01T12:00:00"):
        instant("until", value, "s")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_s": 0}, "window_s must be a duration above 0"),
        ({"windows_s": {"click": -1}}, r"windows_s\['click'\] must be a duration above 0"),
        ({"item": ""}, "item must be the name of a column, got ''"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        JoinOptions(**options)  # type: ignore[arg-type]
