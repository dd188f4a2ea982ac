"""Ranking through the real Triton: the client's requests against PyTorch's answers to rows that repeat the user."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from artefacts.runs import make_run
from numpy.testing import assert_allclose
from toy import toy_table
from tritonclient.grpc import InferenceServerClient

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, DataError
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.serving import AsyncRanker, Items, ModelControl, Ranker, Server, serve

pytestmark = pytest.mark.triton

USER = ("user_id", "history", "device", "age")
ITEMS = 150
CROSSED = """
name = "crossed"
features = [
  { name = "user", kind = "categorical", dtype = "int64", side = "user", num_buckets = 50, embedding_dim = 4 },
  { name = "item", kind = "categorical", dtype = "int64", side = "item", num_buckets = 50, embedding_dim = 4 },
  { name = "both", kind = "cross", features = ["user", "item"], side = "item", num_buckets = 90, embedding_dim = 4 },
  { name = "price", kind = "numeric", side = "item" },
]
tasks = [{ name = "click", kind = "binary", label = "clicked" }]
"""


@pytest.fixture(scope="module")
def server(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ranking")
    options = ServingOptions(warm_up=(1,), max_batch_size=64)
    publish(export_onnx(toy_run, out=folder / "bundle"), folder / "models", name="toy", options=options)
    rows = ExportOptions(requests=None)
    publish(export_onnx(toy_run, out=folder / "rows", options=rows), folder / "models", name="rows", options=options)
    with serve(folder / "models") as running:
        yield running


@pytest.fixture(scope="module", params=["http", "grpc", "rows alone"])
def ranker(server: Server, request: pytest.FixtureRequest) -> Iterator[Ranker]:
    """Clients of both protocols, and one whose model has no graph over requests."""
    url = f"grpc://{server.grpc_url}" if request.param == "grpc" else server.url
    with Ranker(url, "rows" if request.param == "rows alone" else "toy") as client:
        yield client


@pytest.fixture(scope="module")
def catalog() -> pa.Table:
    table = toy_table(ITEMS, 9).drop_columns([*USER])
    return table.set_column(table.column_names.index("item_id"), "item_id", pa.array(range(1000, 1000 + ITEMS)))


@pytest.fixture(scope="module")
def user() -> dict[str, Any]:
    row: dict[str, Any] = toy_table(1, 3).select(USER).to_pylist()[0]
    return row


@pytest.fixture(scope="module")
def expected(toy_run: Path, catalog: pa.Table, user: dict[str, Any]) -> dict[str, Any]:
    """What PyTorch answers to whole rows, float32 (N,) by task."""
    trained = TrainedRanker.load(toy_run)
    rows = [{**item, **user} for item in catalog.to_pylist()]
    return predict(trained.model, Encoder(trained.schema).encode(rows))


def test_all_items_come_back_with_the_best_first(
    ranker: Ranker, catalog: pa.Table, user: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = ranker.rank(user, ranker.items(catalog))
    assert found.column_names == ["item", "score", "click", "like", "rating", "watch_s"]
    score = sum(expected.values())
    assert found["score"].to_pylist() == sorted(found["score"].to_pylist(), reverse=True)
    places = found["item"].to_numpy()
    assert sorted(places.tolist()) == list(range(ITEMS))
    assert_allclose(found["score"].to_numpy(), score[places], rtol=1e-5, atol=1e-5)
    for task, values in expected.items():
        assert_allclose(found[task].to_numpy(), values[places], rtol=1e-5, atol=1e-5)


def test_weights_make_the_score(
    ranker: Ranker, catalog: pa.Table, user: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = ranker.rank(user, catalog, top_k=7, weights={"click": 2.0, "rating": -0.5})
    score = 2.0 * expected["click"] - 0.5 * expected["rating"]
    assert_allclose(found["score"].to_numpy(), np.sort(score)[::-1][:7], rtol=1e-5, atol=1e-5)


def test_answers_say_which_version_made_them(ranker: Ranker, catalog: pa.Table, user: dict[str, Any]) -> None:
    metadata = ranker.rank(user, catalog).schema.metadata
    assert metadata[b"polyrank.version"] == b"1"
    assert metadata[b"polyrank.run_id"].decode() == ranker.signature.run_id


def test_recommend_leaves_out_what_was_seen(ranker: Ranker, catalog: pa.Table, user: dict[str, Any]) -> None:
    items = ranker.items(catalog, key="item_id")
    best = ranker.recommend(user, items, top_k=5)
    seen = best["item_id"].to_pylist()[:3]
    again = ranker.recommend(user, items, top_k=5, exclude_seen=[*seen, 7, None])
    assert set(seen).isdisjoint(again["item_id"].to_pylist())
    assert again["item_id"].to_pylist()[:2] == best["item_id"].to_pylist()[3:]


USERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": lambda user: user,
    "table of one row": lambda user: pa.Table.from_pylist([user]),
    "pandas frame": lambda user: pd.DataFrame([user]),
    "polars frame": lambda user: pl.DataFrame([user]),
}


@pytest.mark.parametrize("form", USERS)
def test_user_comes_in_every_form(ranker: Ranker, catalog: pa.Table, user: dict[str, Any], form: str) -> None:
    found = ranker.rank(USERS[form](user), catalog, top_k=3)
    assert found.equals(ranker.rank(user, catalog, top_k=3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"user": 7}, DataError, "user must be a dict, or a table of one row, got int"),
        ({"user": pa.table({"age": [1, 2]})}, DataError, "user must be one row, got 2"),
        ({"user": {"userid": 4}}, DataError, "the user lacks 'user_id', a feature of model '"),
        ({"top_k": 0}, ConfigError, "top_k must be 1 or above, got 0"),
        ({"top_k": 2.5}, ConfigError, "top_k must be 1 or above, got 2.5"),
        ({"weights": {"clicks": 1}}, ConfigError, "weights names 'clicks', which is no task of model '"),
        (
            {"weights": {"click": float("nan")}},
            ConfigError,
            "weights['click'] must be a number from -1e+30 to 1e+30, got nan",
        ),
        ({"weights": {"click": 0.0}}, ConfigError, "weights must hold a number other than 0"),
        ({"weights": {}}, ConfigError, "weights must hold a number other than 0"),
        ({"exclude": [3]}, DataError, "excluding items needs their key; make them with ranker.items(rows, key="),
    ],
)
def test_wrong_wishes_are_refused(
    ranker: Ranker,
    catalog: pa.Table,
    user: dict[str, Any],
    change: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    wish = {"user": user, "items": catalog, **change}
    with pytest.raises(error) as caught:
        ranker.rank(**wish)
    assert str(caught.value).startswith(message)


def test_items_without_a_column_are_refused(ranker: Ranker, catalog: pa.Table) -> None:
    with pytest.raises(DataError, match=r"^column 'tags' is missing"):
        ranker.items(catalog.drop_columns(["tags"]))


def test_rows_in_place_of_a_catalog_are_refused(ranker: Ranker, catalog: pa.Table, user: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"^catalog must come from ranker\.items\(rows, key=COLUMN\), got Table$"):
        ranker.recommend(user, cast("Items", catalog))


def test_many_items_are_split_and_joined_in_order(
    ranker: Ranker, catalog: pa.Table, user: dict[str, Any], expected: dict[str, Any]
) -> None:
    items = ranker.items(pa.concat_tables([catalog] * 120))  # 18,000: above what one request takes
    found = ranker.rank(user, items)
    places = found["item"].to_numpy()
    assert len(places) == 120 * ITEMS
    assert_allclose(found["click"].to_numpy(), np.tile(expected["click"], 120)[places], rtol=1e-5, atol=1e-5)


def test_threads_share_items(ranker: Ranker, catalog: pa.Table, user: dict[str, Any]) -> None:
    items = ranker.items(catalog)
    first = ranker.rank(user, items)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ranker.rank(user, items), range(40)))
    assert all(each["item"].equals(first["item"]) for each in found)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_async_client_gives_the_same(server: Server, catalog: pa.Table, user: dict[str, Any], protocol: str) -> None:
    url = f"grpc://{server.grpc_url}" if protocol == "grpc" else server.url

    async def ask() -> list[pa.Table]:
        async with AsyncRanker(url, "toy") as ranker:
            items = await ranker.items(catalog, key="item_id")
            wish = [ranker.rank(user, items, top_k=9), ranker.recommend(user, items, top_k=9)]
            rows = [{**item, **user} for item in catalog.to_pylist()]
            return [*await asyncio.gather(*wish * 20), await ranker.score(rows)]

    *lists, scores = asyncio.run(ask())
    with Ranker(server.url, "toy") as ranker:
        expected = ranker.rank(user, ranker.items(catalog, key="item_id"), top_k=9)
    assert all(each["item"].equals(expected["item"]) for each in lists)
    assert len(scores) == ITEMS


def test_cross_of_user_and_item_is_encoded_for_each_user(tmp_path: Path) -> None:
    schema = Schema.from_toml(CROSSED)
    table = pa.table({"item": [1, 2, 3], "price": [0.5, None, 2.0]})
    rows = {user: [{"user": user, **item} for item in table.to_pylist()] for user in (5, 6)}
    sample = Encoder(schema).encode(rows[5])
    trained = make_run(tmp_path / "run", schema, seed=1, sample=sample)
    publish(export_onnx(tmp_path / "run", out=tmp_path / "bundle"), tmp_path / "models")
    with serve(tmp_path / "models") as server, Ranker(server.url) as ranker:
        items = ranker.items(table)
        for user in (5, 6):
            expected = next(iter(predict(trained.model, Encoder(schema).encode(rows[user])).values()))
            found = ranker.rank({"user": user}, items)
            assert_allclose(found["score"].to_numpy(), np.sort(expected)[::-1], rtol=1e-5)
        with pytest.raises(DataError, match=r"^the user lacks 'user'"):
            ranker.rank({"users": 5}, items)


def test_items_serve_every_ranker_of_the_model(server: Server, catalog: pa.Table, user: dict[str, Any]) -> None:
    with Ranker(server.url, "toy") as one, Ranker(server.url, "toy") as other:
        items: Items = one.items(catalog)
        assert other.rank(user, items).equals(one.rank(user, items))


def answered_rankings(server: Server) -> int:
    """How many requests the graph over requests has answered since it was loaded."""
    with InferenceServerClient(server.grpc_url) as client:
        return int(client.get_inference_statistics("toy_rank").model_stats[0].inference_count)


def test_rankings_go_on_by_rows_while_the_graph_over_requests_is_away(
    server: Server, catalog: pa.Table, user: dict[str, Any], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyrank.serving.core._LOOK_AGAIN_S", 0.0)
    with ModelControl(server.url) as control, Ranker(server.url, "toy", timeout_s=2.0) as client:
        items = client.items(catalog)
        client.rank(user, items)
        control.unload("toy_rank")
        try:
            found = client.rank(user, items)
        finally:
            control.load("toy_rank")
        places = found["item"].to_numpy()
        assert_allclose(found["score"].to_numpy(), sum(expected.values())[places], rtol=1e-5, atol=1e-5)
        assert answered_rankings(server) == 0
        client.rank(user, items)
        assert answered_rankings(server) == 1
