"""What a log of impressions loses, that it says so, and what it refuses."""

import datetime as dt
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from artefacts import shown
from artefacts.scripted_http import ScriptedHttp
from artefacts.small_disks import free
from prometheus_client import CollectorRegistry

from polyrank.errors import ConfigError, DataError, SchemaError
from polyrank.schema import Schema
from polyrank.serving import ImpressionLog, Items, Metrics, Ranker
from polyrank.serving.telemetry import Telemetry

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ImpressionLog]:
    """A log whose clock stands at noon."""
    with ImpressionLog(tmp_path / "impressions", clock=NOON.timestamp) as made:
        yield made


@pytest.fixture
def items() -> Items:
    return shown.items()


def written(log: ImpressionLog) -> list[dict[str, Any]]:
    """Return all rows that a log has, written out."""
    log.rotate()
    found: list[dict[str, Any]] = shown.rows(log.folder).to_pylist()
    return found


def test_rows_beyond_the_queue_are_dropped_and_counted(
    tmp_path: Path, items: Items, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_open = threading.Event()
    write = os.write
    monkeypatch.setattr("os.write", lambda file, data: is_open.wait(20) and write(file, data))
    with ImpressionLog(tmp_path, queue_rows=100, flush_s=0.01) as log:
        for number in range(200):
            log.shown(shown.answer(items, [0]), user={**shown.USER, "user": number}, items=items)
        dropped = log.dropped
        is_open.set()
    assert dropped >= 200 - 10 - 32 - 32  # of ten rows each, beside what the thread took before
    assert shown.rows(tmp_path).num_rows == log.written == 200 - dropped
    assert f"{dropped:,} impressions are lost: more than 100 wait to be written; raise queue_rows" in caplog.text


def test_rows_after_close_are_warned_of(log: ImpressionLog, items: Items, caplog: pytest.LogCaptureFixture) -> None:
    log.close()
    log.shown(shown.answer(items), user=shown.USER, items=items)
    assert log.dropped == 3
    assert "3 impressions are lost: the log is closed" in caplog.text


def test_rows_shown_while_the_log_is_closed_are_told_so(
    tmp_path: Path, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    def closing() -> float:
        closed.close()
        return NOON.timestamp()

    closed = ImpressionLog(tmp_path, clock=closing)
    closed.shown(shown.answer(items), user=shown.USER, items=items)
    assert closed.dropped == 3
    assert [record.getMessage() for record in caplog.records] == ["3 impressions are lost: the log is closed"]


@pytest.mark.parametrize("small_disk", ["256k"], indirect=True)
def test_full_disk_drops_rows_and_keeps_those_before(small_disk: Path, items: Items) -> None:
    with ImpressionLog(small_disk / "log", flush_s=0.01) as log:
        log.shown(shown.answer(items, [0]), user=shown.USER, items=items)
        log.flush()
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(free(small_disk)))
        for _ in range(50):
            log.shown(shown.answer(items, [0, 1] * 50), user=shown.USER, items=items)
        log.flush()
        lost = log.dropped
        ballast.unlink()
        log.shown(shown.answer(items, [3]), user=shown.USER, items=items)
    rows = shown.rows(small_disk / "log")
    assert lost > 0
    assert rows.num_rows == log.written == 5002 - log.dropped
    assert rows["sku"].to_pylist()[-1] == "d"


@pytest.mark.parametrize("small_disk", ["256k"], indirect=True)
def test_journal_waits_for_room_to_become_a_file(
    small_disk: Path, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    with ImpressionLog(small_disk / "log") as log:
        log.shown(shown.answer(items, [0]), user=shown.USER, items=items)
        log.flush()
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(free(small_disk)))
        log.rotate()
        assert shown.files(small_disk / "log") == []
        ballast.unlink()
        log.rotate()
        assert len(shown.files(small_disk / "log")) == 1
    assert f"journals in {log.folder} wait to become files: no space left on device" in caplog.text


def test_folder_that_cannot_be_made_drops_rows_with_a_warning(
    tmp_path: Path, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "log"
    with ImpressionLog(folder) as log:
        for _ in range(3):
            log.shown(shown.answer(items), user=shown.USER, items=items)
            log.flush()
    assert (log.dropped, log.written) == (9, 0)
    lost = [record.getMessage() for record in caplog.records if "are lost" in record.getMessage()]
    assert lost == [f"3 impressions are lost: {folder} cannot be written: not a directory"]


def test_value_that_no_column_takes_drops_its_list_alone(
    log: ImpressionLog, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        age = object() if number == 13 else number
        log.shown(shown.answer(items, [0]), user={**shown.USER, "age": age}, items=items)
    assert [row["age"] for row in written(log)] == [float(number) for number in range(20) if number != 13]
    assert log.dropped == 1
    assert "1 impressions are lost: a list cannot be written: " in caplog.text


def test_list_of_other_items_than_were_ranked_is_dropped(
    log: ImpressionLog, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    anew = shown.items(shown.CATALOG.take([1, 0, 2, 3]))
    log.shown(shown.answer(items), user=shown.USER, items=anew)
    log.shown(shown.answer(items, [3]), user=shown.USER, items=anew)
    assert [row["sku"] for row in written(log)] == ["d"]
    assert log.dropped == 3
    assert "items are not those of the answer: item 0 is 'b', and was 'a'; give those that were ranked" in caplog.text


def test_column_that_parquet_cannot_hold_drops_rows(log: ImpressionLog, caplog: pytest.LogCaptureFixture) -> None:
    spans = pa.array([pa.MonthDayNano([1, 2, 3])] * 4)
    items = shown.items(shown.CATALOG.append_column("span", spans), key="span")
    log.shown(shown.answer(items), user=shown.USER, items=items)
    log.flush()
    assert log.dropped == 3
    assert "month_day_nano_interval" in caplog.text


def test_feature_with_a_name_of_the_log_is_refused(log: ImpressionLog) -> None:
    items = shown.items(of=shown.served(_renamed("age", "rank")))
    user = {**shown.USER, "rank": 1.0}
    told = "model 'shop' cannot be logged: its column 'rank' has the name of one of the log's own; rename it in"
    with pytest.raises(SchemaError, match=told):
        log.shown(shown.answer(items), user=user, items=items)


def test_version_with_such_a_feature_that_goes_live_later_stops_no_request(
    log: ImpressionLog, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    log.shown(shown.answer(items), user=shown.USER, items=items)
    other = shown.items(of=shown.served(_renamed("age", "rank"), "2"))
    log.shown(shown.answer(other), user={**shown.USER, "rank": 1.0}, items=other)
    assert len(written(log)) == log.dropped == 3
    assert "its column 'rank' has the name of one of the log's own" in caplog.text


def test_rows_that_come_after_the_end_are_counted(tmp_path: Path, items: Items) -> None:
    log = ImpressionLog(tmp_path)
    log.close()
    log.shown(shown.answer(items), user=shown.USER, items=items)
    log.close()
    assert log.dropped == 3
    assert shown.files(tmp_path) == []


def test_rows_lost_within_a_minute_of_a_warning_are_counted_too(tmp_path: Path, items: Items) -> None:
    registry = CollectorRegistry()
    with ImpressionLog(tmp_path, telemetry=Metrics(registry)) as log:
        for _ in range(2):
            log.shown(shown.answer(items), user={**shown.USER, "age": object()}, items=items)
            log.flush()
        log.shown(shown.answer(items), user={**shown.USER, "age": object()}, items=items)
    assert log.dropped == 9
    assert registry.get_sample_value("polyrank_client_impressions_total", {"outcome": "dropped"}) == 9


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"rotate_mb": 0}, r"rotate_mb must be a number above 0 and below 10,000,000, got 0"),
        ({"rotate_s": "soon"}, r"rotate_s must be a number above 0 and below 10,000,000, got 'soon'"),
        ({"flush_s": float("nan")}, r"flush_s must be a number above 0 and below 10,000,000, got nan"),
        ({"queue_rows": 0}, r"queue_rows must be an integer in \[1, 10\*\*9\), got 0"),
        ({"item_columns": 1}, r"item_columns must be True or False, got 1"),
        ({"clock": 3.5}, r"clock must be a function that returns seconds since 1970, got 3.5"),
        ({"telemetry": Telemetry}, r"telemetry must be a Telemetry, such as polyrank.serving.Metrics\(\), got type"),
        ({"folder": ""}, r"folder must be a path, got ''"),
    ],
)
def test_wrong_argument_is_refused(tmp_path: Path, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ImpressionLog(**{"folder": tmp_path, **arguments})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"answer": [1]}, "answer must be the table that rank returned, got list"),
        ({"items": "a"}, r"items must be what ranker.items\(rows, key=COLUMN\) returned, got 'a'"),
        ({"arm": 1}, "arm must be text, got 1"),
        ({"request_id": "a\nb"}, r"request_id must be text of at most 200 characters"),
        ({"ranks": [1]}, "ranks must name a place for each of the 3 rows of answer, got 1"),
        (
            {"answer": pa.table({"item": [1], "click": [0.5]})},
            "answer must have the columns 'item' and 'score' of rank, got item, click",
        ),
        ({"user": 7}, "user must be a dict, or a table of one row, got int"),
    ],
)
def test_what_is_no_list_is_refused(log: ImpressionLog, items: Items, arguments: dict[str, Any], told: str) -> None:
    given = {"answer": shown.answer(items), "user": shown.USER, "items": items, **arguments}
    with pytest.raises((ConfigError, DataError), match=told):
        log.shown(given.pop("answer"), **given)


def test_answer_without_its_metadata_is_refused(log: ImpressionLog, items: Items) -> None:
    through_pandas = pa.Table.from_pandas(shown.answer(items).to_pandas(), preserve_index=False)
    with pytest.raises(DataError, match=r"answer lacks 'polyrank\.model' in its metadata; give the table that rank"):
        log.shown(through_pandas, user=shown.USER, items=items)


def test_ranker_takes_nothing_else_for_a_log() -> None:
    told = r"log must be an ImpressionLog\(folder\), got 'impressions'"
    with _fake().listening() as url, Ranker(url, "fake") as ranker, pytest.raises(ConfigError, match=told):
        ranker.rank(shown.USER, shown.CATALOG, log="impressions")  # type: ignore[arg-type]


def _fake() -> ScriptedHttp:
    """A server that answers 0.5 for the first task, and knows no other."""
    schema = Schema(name="shop", features=shown.SCHEMA.features, tasks=shown.SCHEMA.tasks[:1])
    return ScriptedHttp(signature=shown.served(schema).signature.to_json(), max_batch_size=1000)


def _renamed(name: str, to: str) -> Schema:
    return Schema.from_toml(shown.SCHEMA.to_toml().replace(f'name = "{name}"', f'name = "{to}"'))


class Broken(Telemetry):
    """Counts nothing, and fails."""

    def impressions(self, outcome: str, rows: int) -> None:
        raise RuntimeError(f"{outcome}: {rows}")


def test_telemetry_that_fails_ends_no_log(tmp_path: Path, items: Items, caplog: pytest.LogCaptureFixture) -> None:
    with ImpressionLog(tmp_path, telemetry=Broken()) as log:
        for _ in range(2):
            log.shown(shown.answer(items, [0]), user=shown.USER, items=items)
            log.flush()
    assert shown.rows(tmp_path).num_rows == log.written == 2
    assert "telemetry does not count impressions: written: 1" in caplog.text
