"""A client that asks one version, where the real Triton serves two, against PyTorch's answers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from artefacts import two_versions
from artefacts.two_versions import TASKS
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from polyrank.encoder import Encoder
from polyrank.errors import ModelNotReadyError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import AsyncRanker, Ranker, Server, serve

pytestmark = pytest.mark.triton

Trained = tuple[Path, dict[str, TrainedRanker]]

ROWS = two_versions.logs(40)
USER = ROWS.select(["user_id", "history", "device"]).slice(0, 1)
ITEMS = ROWS.select(["item_id", "tags", "duration_ms"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("two")
    first, second = two_versions.build(folder)
    return folder, {"1": first, "2": second}


@pytest.fixture(scope="module")
def server(trained: Trained) -> Iterator[Server]:
    with serve(trained[0] / "model_repository") as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def url(server: Server, request: pytest.FixtureRequest) -> str:
    return server.url if request.param == "http" else f"grpc://{server.grpc_url}"


def answers(trained: Trained, version: str, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
    ranker = trained[1][version]
    return predict(ranker.model, Encoder(ranker.schema).encode(rows))


@pytest.mark.parametrize(("asked", "answering"), [("1", "1"), ("2", "2"), (None, "2")])
def test_rows_are_scored_by_the_version_asked(url: str, trained: Trained, asked: str | None, answering: str) -> None:
    with Ranker(url, version=asked) as ranker:
        found = ranker.score(ROWS)
    assert found.schema.metadata[b"polyrank.version"].decode() == answering == ranker.version
    expected = answers(trained, answering, ROWS)
    for task in TASKS:
        assert_allclose(found[task].to_numpy(), expected[task], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("asked", ["1", "2"])
def test_items_are_ranked_by_the_version_asked(url: str, trained: Trained, asked: str) -> None:
    with Ranker(url, version=asked) as ranker:
        found = ranker.rank(USER, ITEMS)
    assert found.schema.metadata[b"polyrank.version"].decode() == asked
    user = USER.to_pylist()[0]
    rows = pa.Table.from_pylist([user | item for item in ITEMS.to_pylist()])
    score = sum(answers(trained, asked, rows).values())
    assert_allclose(found["score"].to_numpy(), np.sort(score)[::-1], rtol=1e-5, atol=1e-5)


async def _async_version(url: str) -> tuple[str, tuple[str, ...], bytes]:
    async with AsyncRanker(url, version="1") as ranker:
        found = await ranker.score(ROWS)
        return ranker.version, ranker.served.versions, found.schema.metadata[b"polyrank.version"]


def test_async_client_asks_one_version_and_knows_of_all(url: str) -> None:
    assert asyncio.run(_async_version(url)) == ("1", ("1", "2"), b"1")


def test_version_that_is_not_live_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(
        ModelNotReadyError, match=r"^version 3 of pair at \S+ is not live, of which are 1, 2; name one "
    ):
        Ranker(url, "pair", version="3")
