"""What a log writes of what was shown, and that requests never pay for it."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts import shown
from artefacts.processes import wait_until
from artefacts.scripted_http import ScriptedHttp
from prometheus_client import CollectorRegistry

from polyrank.impressions import RESERVED
from polyrank.schema import Schema
from polyrank.serving import AsyncRanker, ImpressionLog, Items, Metrics, Ranker

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


def test_row_for_each_item_in_its_place(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items), user=shown.USER, items=items)
    rows = written(log)
    assert [(row["rank"], row["sku"], row["item"], row["price"]) for row in rows] == [
        (1, "c", 12, 3.0),
        (2, "a", 10, 1.5),
        (3, "b", 11, None),
    ]


def test_row_says_who_answered_and_when(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items), user=shown.USER, items=items)
    row = written(log)[0]
    found = {name: row[name] for name in ("request_id", "shown_at", "model", "version", "arm")}
    assert found == {"request_id": "r-1", "shown_at": NOON, "model": "shop", "version": "1", "arm": None}


def test_scores_and_weights_are_kept_by_task(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items, [2], weights={"click": 2.0, "buy": 0.0}), user=shown.USER, items=items)
    [row] = written(log)
    assert row["rank_score"] == pytest.approx(0.4)
    assert dict(row["scores"]) == pytest.approx({"click": 0.2, "buy": 0.02})
    assert dict(row["task_weights"]) == {"click": 2.0, "buy": 0.0}


def test_columns_have_the_types_that_readers_rely_on(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items), user=shown.USER, items=items)
    log.rotate()
    schema = pq.read_schema(shown.files(log.folder)[0])
    by_task = pa.map_(pa.string(), pa.float32())
    own = [pa.string(), pa.timestamp("us", "UTC"), *[pa.string()] * 3, pa.int32(), pa.float32(), by_task, by_task]
    assert schema.names == [*RESERVED, "user", "device", "history", "age", "item", "price", "sku"]
    assert schema.types[: len(own)] == own
    assert schema.types[len(own) :][:4] == [pa.int64(), pa.string(), pa.list_(pa.int64()), pa.float64()]


def test_features_of_the_user_are_kept_as_they_were(log: ImpressionLog, items: Items) -> None:
    user = {**shown.USER, "history": [10, 11], "unknown to the schema": 1}
    log.shown(shown.answer(items, [0]), user=user, items=items)
    user["history"].append(12)
    user["age"] = 99.0
    [row] = written(log)
    assert {name: row[name] for name in shown.USER} == shown.USER
    assert "unknown to the schema" not in row


@pytest.mark.parametrize(
    "one_row", [pa.Table.from_pylist, pd.DataFrame, pl.DataFrame], ids=["arrow", "pandas", "polars"]
)
def test_user_may_be_a_table_of_one_row(log: ImpressionLog, items: Items, one_row: Any) -> None:
    log.shown(shown.answer(items, [0]), user=one_row([{**shown.USER}]), items=items)
    assert written(log)[0]["user"] == 46


def test_list_that_is_ordered_anew_is_logged_as_shown(log: ImpressionLog, items: Items) -> None:
    answer = shown.answer(items, [3, 2, 1, 0])
    log.shown(answer.take([2, 0]), user=shown.USER, items=items, request_id="page-7", arm="new")
    rows = written(log)
    assert [(row["rank"], row["sku"], row["request_id"], row["arm"]) for row in rows] == [
        (1, "b", "page-7", "new"),
        (2, "d", "page-7", "new"),
    ]


def test_places_may_be_given(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items, [1, 0]), user=shown.USER, items=items, ranks=[2, 5])
    assert [row["rank"] for row in written(log)] == [2, 5]


def test_group_of_the_schema_is_logged_where_the_user_has_it(log: ImpressionLog) -> None:
    schema = Schema.from_toml(shown.SCHEMA.to_toml().replace('name = "shop"', 'name = "shop"\ngroup = "session"', 1))
    items = shown.items(of=shown.served(schema))
    log.shown(shown.answer(items, [0]), user={**shown.USER, "session": "s-1"}, items=items)
    assert written(log)[0]["session"] == "s-1"


def test_item_columns_but_the_key_can_be_left_out(tmp_path: Path, items: Items) -> None:
    with ImpressionLog(tmp_path, item_columns=False) as log:
        log.shown(shown.answer(items, [0]), user=shown.USER, items=items)
    assert shown.rows(tmp_path).column_names == [*RESERVED, *shown.USER, "sku"]


def test_version_with_other_features_gets_a_file_of_its_own(log: ImpressionLog) -> None:
    old, new = shown.items(), shown.items(of=shown.served(_without("price"), "2"))
    log.shown(shown.answer(old, [0]), user=shown.USER, items=old)
    log.shown(shown.answer(new, [1]), user=shown.USER, items=new)
    log.shown(shown.answer(old, [2]), user=shown.USER, items=old)
    log.rotate()
    found = [
        (pq.read_table(file)["version"].to_pylist(), "price" in pq.read_schema(file).names)
        for file in shown.files(log.folder)
    ]
    assert sorted(found) == [(["1", "1"], True), (["2"], False)]


def test_many_lists_of_several_catalogues_keep_their_features(log: ImpressionLog) -> None:
    known = [shown.items(shown.CATALOG.slice(start, 2)) for start in (0, 2)]
    for number in range(400):
        items = known[number % 2]
        log.shown(shown.answer(items, [1, 0], f"r-{number}"), user={**shown.USER, "user": number}, items=items)
    rows = written(log)
    assert [(row["request_id"], row["user"], row["item"]) for row in rows] == [
        (f"r-{number}", number, item) for number in range(400) for item in ((11, 10) if number % 2 == 0 else (13, 12))
    ]


def test_ranker_logs_what_it_answers(tmp_path: Path) -> None:
    with _fake().listening() as url, Ranker(url, "fake") as ranker, ImpressionLog(tmp_path) as log:
        items = ranker.items(shown.CATALOG, key="sku")
        named = ranker.rank(shown.USER, items, top_k=2, request_id="page-1", log=log)
        unnamed = ranker.recommend(shown.USER, items, top_k=1, log=log, weights={"click": 3.0})
        ranker.rank(shown.USER, items)
    request_ids = [each.schema.metadata[b"polyrank.request_id"].decode() for each in (named, unnamed)]
    rows = shown.rows(tmp_path).to_pylist()
    assert [row["request_id"] for row in rows] == ["page-1", "page-1", request_ids[1]]
    assert [row["sku"] for row in rows[:2]] == named["sku"].to_pylist()
    assert rows[2]["rank_score"] == unnamed["score"][0].as_py() == 1.5
    assert rows[0]["model"] == "fake"


def test_async_ranker_logs_too(tmp_path: Path) -> None:
    async def ask(url: str, log: ImpressionLog) -> None:
        async with AsyncRanker(url, "fake") as ranker:
            items = await ranker.items(shown.CATALOG, key="sku")
            await ranker.rank(shown.USER, items, top_k=1, request_id="a", log=log)
            await ranker.recommend(shown.USER, items, top_k=1, request_id="b", log=log)

    with _fake().listening() as url, ImpressionLog(tmp_path) as log:
        asyncio.run(ask(url, log))
    assert shown.rows(tmp_path)["request_id"].to_pylist() == ["a", "b"]


def test_items_that_are_encoded_for_one_call_are_logged(tmp_path: Path) -> None:
    with _fake().listening() as url, Ranker(url, "fake") as ranker, ImpressionLog(tmp_path) as log:
        ranker.rank(shown.USER, shown.CATALOG.to_pylist(), top_k=4, log=log)
    assert sorted(shown.rows(tmp_path)["item"].to_pylist()) == [10, 11, 12, 13]


def test_request_ids_are_told_apart() -> None:
    with _fake().listening() as url, Ranker(url, "fake") as one, Ranker(url, "fake") as other:
        answers = [ranker.rank(shown.USER, shown.CATALOG) for ranker in (one, other, one, other)]
    assert len({answer.schema.metadata[b"polyrank.request_id"] for answer in answers}) == 4


def test_call_takes_less_than_50_us_of_its_thread(log: ImpressionLog, items: Items) -> None:
    user = dict(shown.USER) | {"history": list(range(50))}
    answer = shown.answer(shown.items(pa.concat_tables([shown.CATALOG] * 25)), range(100))
    times = []
    for _ in range(500):
        start = time.thread_time_ns()
        log.shown(answer, user=user, items=items)
        times.append(time.thread_time_ns() - start)
    assert np.median(times) < 50_000


def test_file_is_rotated_by_size(tmp_path: Path, items: Items) -> None:
    with ImpressionLog(tmp_path, rotate_mb=0.01, flush_s=0.01) as log:
        for _ in range(2):
            log.shown(shown.answer(items, [0, 1] * 100), user=shown.USER, items=items)
            log.flush()
        assert wait_until(lambda: len(shown.files(tmp_path)) == 2)


def test_file_is_rotated_by_age(tmp_path: Path, items: Items) -> None:
    with ImpressionLog(tmp_path, rotate_s=0.1, flush_s=0.01) as log:
        log.shown(shown.answer(items), user=shown.USER, items=items)
        assert wait_until(lambda: len(shown.files(tmp_path)) == 1)


def test_rows_are_in_a_journal_without_being_asked(tmp_path: Path, items: Items) -> None:
    with ImpressionLog(tmp_path, flush_s=0.01) as log:
        log.shown(shown.answer(items), user=shown.USER, items=items)
        assert wait_until(lambda: log.written == 3)
        assert [path.suffix for path in tmp_path.iterdir()] == [".journal"]


def test_files_are_named_by_the_time_of_their_first_row(log: ImpressionLog, items: Items) -> None:
    log.shown(shown.answer(items), user=shown.USER, items=items)
    log.rotate()
    assert shown.files(log.folder)[0].name.startswith("impressions-20261130T120000.000000Z-")


def test_log_of_nothing_makes_no_file(tmp_path: Path, items: Items) -> None:
    with ImpressionLog(tmp_path) as log:
        log.shown(shown.answer(items, []), user=shown.USER, items=items)
    assert list(tmp_path.iterdir()) == []


def test_threads_share_a_log(log: ImpressionLog, items: Items) -> None:
    def show(thread: int) -> None:
        for number in range(100):
            log.shown(shown.answer(items, [0], f"{thread}-{number}"), user=shown.USER, items=items)

    threads = [threading.Thread(target=show, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({row["request_id"] for row in written(log)}) == 400


def test_impressions_are_counted_with_the_calls(tmp_path: Path, items: Items) -> None:
    registry = CollectorRegistry()
    with ImpressionLog(tmp_path, telemetry=Metrics(registry)) as log:
        log.shown(shown.answer(items), user=shown.USER, items=items)
        log.flush()
        log.shown(
            shown.answer(items).append_column("x", pa.nulls(3)), user={**shown.USER, "age": object()}, items=items
        )
    name = "polyrank_client_impressions_total"
    assert registry.get_sample_value(name, {"outcome": "written"}) == 3
    assert registry.get_sample_value(name, {"outcome": "dropped"}) == 3


def _fake() -> ScriptedHttp:
    """A server that answers 0.5 for the first task, and knows no other."""
    schema = Schema(name="shop", features=shown.SCHEMA.features, tasks=shown.SCHEMA.tasks[:1])
    return ScriptedHttp(signature=shown.served(schema).signature.to_json(), max_batch_size=1000)


def _without(name: str) -> Schema:
    features = tuple(each for each in shown.SCHEMA.features if each.name != name)
    return Schema(name="shop", features=features, tasks=shown.SCHEMA.tasks)
