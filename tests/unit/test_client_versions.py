"""Servers of a rolling deployment differ in version and schema, and every answer is whole by one of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from artefacts.asking import ROWS as ASKED
from artefacts.asking import Score, both_ways
from artefacts.fake_triton import SCHEMA, SIGNATURE, FakeTriton
from artefacts.scripted_http import Answer, Request, ScriptedHttp, scores

from polyrank.encoder import Encoder
from polyrank.schema import Schema
from polyrank.serving import ClientOptions, Ranker
from polyrank.signature import slots_of

OTHER = Schema.from_toml(
    'name = "fake"\nfeatures = [{ name = "other", kind = "categorical", dtype = "int64", num_buckets = 5 }]\n'
    'tasks = [{ name = "click", kind = "binary", label = "is_click" }]'
)
OTHER_SIGNATURE = msgspec.structs.replace(SIGNATURE, schema=OTHER, slots=slots_of(OTHER)).to_json()
ROWS = [{"item": number, "other": 100 + number % 2} for number in range(30)]
PATIENT = ClientOptions(attempts=4, backoff_s=0.001)
OLD, NEW, WRONG = 0.25, 0.75, 9.0
Rolling = tuple[ScriptedHttp, ScriptedHttp, list[str]]


def encoded_by(schema: Schema, **fields: Any) -> ScriptedHttp:
    """Return a server that answers its value to rows of its schema, and `WRONG` to those encoded otherwise."""
    known = set(Encoder(schema).encode([*ROWS, *ASKED]).ids.ravel().tolist())
    server = ScriptedHttp(**fields)

    def infer(request: Request) -> Answer:
        ids = np.frombuffer(request.body[int(request.headers["inference-header-content-length"]) :], np.int64)
        value = server.value if known.issuperset(ids.tolist()) else WRONG
        return Answer([scores(request.rows, value, server.version)])

    server.infer = infer
    return server


def failing_at(server: ScriptedHttp, is_failing: Callable[[Request], bool]) -> None:
    """Have a server close the connection in place of some answers."""
    usual = server.infer
    server.infer = lambda request: Answer(closes=True) if is_failing(request) else usual(request)


def slowly(server: ScriptedHttp) -> None:
    """Have a server take its time."""
    usual = server.infer

    def infer(request: Request) -> Answer:
        time.sleep(0.2)
        return usual(request) or Answer()

    server.infer = infer


@pytest.fixture
def rolling() -> Iterator[Rolling]:
    """Version 1 of one schema, version 2 of another, which answer apart."""
    old = encoded_by(SCHEMA, value=OLD)
    new = encoded_by(OTHER, value=NEW, version="2", signature=OTHER_SIGNATURE)
    with old.listening() as first, new.listening() as second:
        yield old, new, [first, second]


def assert_whole(found: pa.Table) -> None:
    value = {b"1": OLD, b"2": NEW}[found.schema.metadata[b"polyrank.version"]]
    assert found["click"].to_pylist() == [value] * len(found)


def test_servers_of_two_versions_answer_whole(rolling: Rolling) -> None:
    old, new, urls = rolling
    with Ranker(urls, "fake", options=PATIENT) as ranker, ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: ranker.score(ROWS), range(60)):
            assert_whole(found)
    assert min(len(old.inferences), len(new.inferences)) > 80


def test_server_that_fails_midway_leaves_no_mixture(rolling: Rolling) -> None:
    failing_at(rolling[0], lambda request: request.number % 3 == 1)
    with Ranker(rolling[2], "fake", options=PATIENT) as ranker:
        for _ in range(20):
            assert_whole(ranker.score(ROWS))


def test_equal_version_of_another_schema_is_told_apart(rolling: Rolling) -> None:
    """Two repositories may count alike; then the schema of the server that answered decides."""
    old, new, urls = rolling
    new.version = "1"
    failing_at(old, lambda _request: True)
    with Ranker(urls, "fake", options=PATIENT) as ranker:
        for _ in range(6):
            assert ranker.score(ROWS)["click"].to_pylist() == [NEW] * 30


def test_metadata_and_configuration_are_of_one_server(rolling: Rolling) -> None:
    """Else version 1 would be encoded as version 2 is."""
    old, _, urls = rolling
    old.answers["/v2/models/fake/config"] = Answer(closes=True)
    with Ranker(urls, "fake", options=PATIENT) as ranker:
        assert ranker.version == "2"
        del old.answers["/v2/models/fake/config"]
        time.sleep(0.3)
        for _ in range(6):
            assert_whole(ranker.score(ROWS))
    assert len(old.inferences) > 0


@both_ways
def test_hedge_to_a_server_of_another_schema_is_whole(rolling: Rolling, score: Score) -> None:
    slowly(rolling[0])
    for order in (rolling[2], rolling[2][::-1]):
        assert_whole(score(order, ClientOptions(hedge_after_s=0.02), calls=4))


def test_scores_over_grpc_go_by_the_version_of_each_server() -> None:
    old, new = FakeTriton(), FakeTriton(version="2", signature=OTHER_SIGNATURE)
    with (
        old.listening() as first,
        new.listening() as second,
        Ranker([f"grpc://{first}", f"grpc://{second}"], "fake") as ranker,
    ):
        seen = {ranker.score(ROWS).schema.metadata[b"polyrank.version"] for _ in range(6)}
    assert seen == {b"1", b"2"}
