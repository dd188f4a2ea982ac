"""Impressions and splits through the real Triton: what is logged is what was served."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts import shown, two_versions

from polyrank.serving import AsyncRanker, AsyncSplit, ImpressionLog, Ranker, Server, Split, serve

pytestmark = pytest.mark.triton

USER = ("user_id", "history", "device")
SHARES = {"old": 0.5, "new": 0.5}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("impressions")
    two_versions.build(folder)
    with serve(folder / "model_repository") as running:
        yield running


@pytest.fixture(scope="module")
def catalog() -> pa.Table:
    rows = two_versions.logs(100)
    return rows.select(["item_id", "tags", "duration_ms"]).append_column("sku", pa.array(map(str, range(len(rows)))))


@pytest.fixture(scope="module")
def user() -> dict[str, Any]:
    row: dict[str, Any] = two_versions.logs(1).select(USER).to_pylist()[0]
    return row


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_logged_rows_score_as_they_did(
    server: Server, catalog: pa.Table, user: dict[str, Any], protocol: str, tmp_path: Path
) -> None:
    url = f"grpc://{server.grpc_url}" if protocol == "grpc" else server.url
    with Ranker(url, "pair") as ranker, ImpressionLog(tmp_path) as log:
        items = ranker.items(catalog, key="sku")
        answer = ranker.rank(user, items, top_k=20, log=log)
        log.rotate()
        rows = shown.rows(tmp_path)
        scores = ranker.score(rows)
    assert rows["sku"].to_pylist() == answer["sku"].to_pylist()
    assert rows["version"].to_pylist() == ["2"] * 20
    for task in two_versions.TASKS:
        logged = [dict(row)[task] for row in rows["scores"].to_pylist()]
        np.testing.assert_allclose(logged, scores[task].to_numpy(), rtol=1e-5, atol=1e-5)


def test_arms_are_versions_of_one_model(
    server: Server, catalog: pa.Table, user: dict[str, Any], tmp_path: Path
) -> None:
    with (
        Ranker(server.url, "pair", version="1") as old,
        Ranker(server.url, "pair") as new,
        ImpressionLog(tmp_path) as log,
    ):
        split = Split({"old": old, "new": new}, shares=SHARES, salt="s", user="user_id", log=log)
        items = split.items(catalog, key="sku")
        for number in range(20):
            split.rank({**user, "user_id": number}, items, top_k=2)
        drawn = {number: split.arm(number) for number in range(20)}
        expected = {
            arm: ranker.rank({**user, "user_id": 1}, items.by_arm[arm], top_k=2)["sku"].to_pylist()
            for arm, ranker in (("old", old), ("new", new))
        }
    rows = shown.rows(tmp_path).to_pylist()
    assert {row["user_id"]: row["arm"] for row in rows} == drawn
    assert {(row["arm"], row["version"]) for row in rows} == {("old", "1"), ("new", "2")}
    assert [row["sku"] for row in rows if row["user_id"] == 1] == expected[drawn[1]]


def test_interleaved_list_holds_the_best_of_both_versions(
    server: Server, catalog: pa.Table, user: dict[str, Any], tmp_path: Path
) -> None:
    async def ask(log: ImpressionLog) -> pa.Table:
        async with AsyncRanker(server.url, "pair", version="1") as old, AsyncRanker(server.url, "pair") as new:
            split = AsyncSplit({"old": old, "new": new}, shares=SHARES, salt="s", user="user_id", log=log)
            return await split.interleave(user, await split.items(catalog, key="sku"), top_k=10, request_id="page")

    with Ranker(server.url, "pair", version="1") as old, Ranker(server.url, "pair") as new:
        best = {
            arm: ranker.rank(user, catalog, top_k=1)["item"][0].as_py() for arm, ranker in (("old", old), ("new", new))
        }
    with ImpressionLog(tmp_path) as log:
        answer = asyncio.run(ask(log))
    rows = sorted(shown.rows(tmp_path).to_pylist(), key=lambda row: row["rank"])
    assert set(best.values()) <= set(answer["item"].to_pylist()[:2])
    assert [(row["sku"], row["arm"]) for row in rows] == list(
        zip(answer["sku"].to_pylist(), answer["arm"].to_pylist(), strict=True)
    )
    assert {(row["arm"], row["version"], row["request_id"]) for row in rows} == {
        ("old", "1", "page"),
        ("new", "2", "page"),
    }
