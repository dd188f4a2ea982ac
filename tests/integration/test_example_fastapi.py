"""The application of examples/fastapi, under a real uvicorn and in front of a real Triton."""

import asyncio
import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from artefacts import shown
from artefacts.processes import frozen, wait_until
from artefacts.runs import make_run
from integration.test_pages import free_port

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError
from polyrank.export import ServingOptions, export_onnx, publish
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import Server, serve

pytestmark = pytest.mark.triton

ABSENT = {"TRITON": "127.0.0.1:9", "MODEL": "shop", "CATALOG": "catalog.parquet", "KEY": "sku"}
"""Settings that are right, of a server that is not there."""

APP = Path(__file__).parents[2] / "examples" / "fastapi"
KEYS = shown.CATALOG["sku"].to_pylist()
NAMES = ("click", "buy")


class Running(NamedTuple):
    """The application, and what it stands on."""

    url: str
    server: Server
    ranker: TrainedRanker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fastapi")
    pq.write_table(shown.CATALOG, place / "catalog.parquet")
    return place


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    rows = [{**shown.USER, **item} for item in shown.CATALOG.to_pylist()]
    ranker = make_run(folder / "run", shown.SCHEMA, sample=Encoder(shown.SCHEMA).encode(rows * 50))
    publish(export_onnx(folder / "run", out=folder / "bundle"), folder / "models", options=ServingOptions(warm_up=(1,)))
    with serve(folder / "models") as server:
        yield from application(folder, server, ranker)


def application(folder: Path, server: Server, ranker: TrainedRanker) -> Iterator[Running]:
    """Run uvicorn as the README of the examples does, and stop it as an orchestrator does."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(APP), "--port", str(port)]
    settings = {"TRITON": server.url, "MODEL": "shop", "CATALOG": "catalog.parquet", "KEY": "sku", "TIMEOUT_S": "2"}
    with subprocess.Popen(command, cwd=folder, env=os.environ | settings) as process:
        url = f"http://127.0.0.1:{port}"
        assert wait_until(lambda: process.poll() is not None or is_up(url), timeout_s=60)
        try:
            yield Running(url, server, ranker)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def is_up(url: str) -> bool:
    try:
        return ask(url, "/health")[0] == 200
    except urllib.error.URLError:
        return False


def ask(url: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})  # noqa: S310 (our own)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as err:
        return err.code, json.loads(err.read())


def expected(ranker: TrainedRanker, user: dict[str, Any]) -> dict[str, Any]:
    """Return what PyTorch answers to a user and all items, by task."""
    rows = [{**user, **item} for item in shown.CATALOG.to_pylist()]
    return predict(ranker.model, Encoder(ranker.schema).encode(rows))


def test_catalogue_is_ranked_as_pytorch_ranks_it(running: Running) -> None:
    status, answer = ask(running.url, "/rank", {"user": dict(shown.USER), "weights": {"click": 1.0, "buy": 2.0}})
    answers = expected(running.ranker, dict(shown.USER))
    order = np.argsort(-(answers["click"] + 2.0 * answers["buy"]))
    assert (status, answer["version"]) == (200, "1")
    assert [item["sku"] for item in answer["items"]] == [KEYS[place] for place in order]
    for name in NAMES:
        np.testing.assert_allclose([item[name] for item in answer["items"]], answers[name][order], atol=1e-5)


def test_requests_side_by_side_get_each_their_own(running: Running) -> None:
    users = [{**shown.USER, "user": number, "age": number / 2} for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda user: ask(running.url, "/rank", {"user": user, "top_k": 1})[1], users))
    for user, answer in zip(users, found, strict=True):
        answers = expected(running.ranker, user)
        best = np.argmax(answers["click"] + answers["buy"])
        assert [item["sku"] for item in answer["items"]] == [KEYS[best]]
    assert len({answer["request_id"] for answer in found}) == len(users)


def test_what_is_excluded_is_not_shown(running: Running) -> None:
    _, answer = ask(running.url, "/rank", {"user": dict(shown.USER), "exclude": ["a", "c", "nothing"]})
    assert sorted(item["sku"] for item in answer["items"]) == ["b", "d"]


USER = dict(shown.USER)
REFUSED = {
    "no user": ({}, "user: Field required"),
    "unknown key": ({"user": USER, "topk": 3}, "topk: Extra inputs are not permitted"),
    "no number": ({"user": USER, "top_k": float("nan")}, "top_k: Input should be a finite number"),
    "no items": ({"user": USER, "top_k": 0}, "top_k: Input should be greater than or equal to 1"),
    "feature left out": ({"user": {"user": 46, "device": "tv", "age": 3}}, "the user lacks 'history', a feature of"),
    "fraction for an id": ({"user": USER | {"user": 4.5}}, "holds 4.5"),
    "too large for an id": ({"user": USER | {"user": 10**30}}, "column 'user' holds"),
    "nested value": ({"user": USER | {"user": {"id": 46}}}, "column 'user' holds"),
    "unknown task": ({"user": USER, "weights": {"clik": 1.0}}, "did you mean 'click'?"),
    "infinite weight": ({"user": USER, "weights": {"click": 1e999}}, "weights"),
    "infinite number": ({"user": USER | {"age": 1e999}}, "column 'age' holds inf"),
    "key of another type": ({"user": USER, "exclude": [7]}, "exclude must be keys of type string"),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_input_is_refused_with_its_reason(running: Running, body: Any, message: str) -> None:
    status, answer = ask(running.url, "/rank", body)
    assert status == 422
    assert message in answer["detail"]


def test_server_that_hangs_is_a_503_in_time(running: Running) -> None:
    with frozen(running.server.pid):
        ranked = ask(running.url, "/rank", {"user": USER})
        health = ask(running.url, "/health")
    assert ranked[0] == health[0] == 503
    assert "deadline of 2 s passed" in ranked[1]["detail"]
    assert ask(running.url, "/rank", {"user": USER})[0] == 200


def test_what_was_shown_is_in_the_log_when_the_process_ends(running: Running, folder: Path) -> None:
    with contextlib.contextmanager(application)(folder, running.server, running.ranker) as other:
        _, answer = ask(other.url, "/rank", {"user": USER, "top_k": 2})
    rows = shown.rows(folder / "impressions").to_pylist()
    found = [row for row in rows if row["request_id"] == answer["request_id"]]
    assert [(row["rank"], row["sku"], row["user"]) for row in found] == [
        (place, item["sku"], USER["user"]) for place, item in enumerate(answer["items"], start=1)
    ]


def test_process_without_a_server_does_not_start(folder: Path) -> None:
    command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(APP), "--port", str(free_port())]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | ABSENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3
    assert "shop at 127.0.0.1:9: no server answers" in done.stderr


VARIABLES: dict[str, tuple[str, str, str]] = {
    "no catalogue": ("CATALOG", "", "CATALOG must be set, as in CATALOG=catalog.parquet"),
    "no such file": (
        "CATALOG",
        "none.parquet",
        "CATALOG must name a Parquet file that can be read, got 'none.parquet'",
    ),
    "no key": ("KEY", "", "KEY must be set, as in KEY=sku"),
    "no such column": (
        "KEY",
        "id",
        "KEY must be a column of catalog.parquet, one of item, price, sku, more, got 'id'",
    ),
    "no seconds": ("TIMEOUT_S", "soon", "TIMEOUT_S must be seconds above 0, as in TIMEOUT_S=0.2, got 'soon'"),
    "no time": ("TIMEOUT_S", "0", "TIMEOUT_S must be seconds above 0, as in TIMEOUT_S=0.2, got '0'"),
}


@pytest.mark.parametrize(("name", "value", "message"), VARIABLES.values(), ids=VARIABLES)
def test_variable_that_is_missing_or_wrong_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.chdir(folder)
    for each, held in {**ABSENT, name: value}.items():
        monkeypatch.setenv(each, held)
    with pytest.raises(ConfigError) as caught:
        asyncio.run(start_and_end())
    assert str(caught.value) == message


async def start_and_end() -> None:
    """Start the application in this process, and end it."""
    app = runpy.run_path(str(APP / "app.py"))
    async with app["lifespan"](app["app"]):
        pass


def test_health_names_what_answers(running: Running) -> None:
    assert ask(running.url, "/health") == (200, {"model": "shop", "version": "1", "dropped_impressions": 0})
