"""Triton runs code that comes with an order to load a model; a server takes such orders from its own user alone."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.errors import RequestError
from polyrank.serving import ModelControl, Server, ServerConfig, serve
from polyrank.serving.triton_http import TritonHttp

pytestmark = pytest.mark.triton

CONFIG = json.dumps({"name": "evil", "backend": "python", "max_batch_size": 0})
PAGE = {"Origin": "http://page.example", "Content-Type": "text/plain"}
REFUSAL = "This (API|protocol) is restricted, expecting header"


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository", models=["toy"]) as running:
        yield running


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Give the file that code of a stranger makes where it runs."""
    return tmp_path / "it ran"


def code(mark: Path) -> bytes:
    return f"open({str(mark)!r}, 'w').close()\nclass TritonPythonModel:\n    pass\n".encode()


def over_http(server: Server, mark: Path, headers: dict[str, str]) -> None:
    """Order as a page in a browser can, which asks nobody before it sends plain text to another host."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    order = {"config": CONFIG, "file:1/model.py": base64.b64encode(code(mark)).decode()}
    triton = TritonHttp(host, int(port), timeout_s=30.0, headers=PAGE | headers)
    triton.post("/v2/repository/models/evil/load", {"parameters": order})


def over_grpc(server: Server, mark: Path, headers: dict[str, str]) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        client.load_model("evil", headers=headers, config=CONFIG, files={"file:1/model.py": code(mark)})


Order = Callable[[Server, Path, dict[str, str]], Any]


@pytest.mark.parametrize("order", [over_http, over_grpc])
def test_code_of_strangers_does_not_run(server: Server, mark: Path, order: Order) -> None:
    with pytest.raises((RequestError, InferenceServerException), match=REFUSAL):
        order(server, mark, {})
    assert not mark.exists()


@pytest.mark.parametrize("order", [over_http, over_grpc])
def test_same_order_with_the_key_would_run_it(server: Server, mark: Path, order: Order) -> None:
    with ModelControl(server.url) as control:
        order(server, mark, server.control_headers)
        control.unload("evil")  # else the next order would be taken for done
    assert mark.exists()


@pytest.mark.parametrize("path", ["trace/setting", "logging", "repository/index"])
def test_what_else_takes_the_key(server: Server, path: str) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with pytest.raises(RequestError, match=REFUSAL):
        TritonHttp(host, int(port)).post(f"/v2/{path}", {})
    TritonHttp(host, int(port), headers=server.control_headers).post(f"/v2/{path}", {})


def test_own_clients_find_the_key(server: Server) -> None:
    for url in (server.url, f"grpc://{server.grpc_url}", server.url.replace("127.0.0.1", "localhost")):
        with ModelControl(url) as control:
            control.load("toy")
            assert control.serves("toy", 1)


def test_options_of_the_callers_own_take_its_place(served: Path) -> None:
    options = {"http-restricted-api": "model-repository:own=secret"}
    with serve(served / "repository", models=["toy"], config=ServerConfig(triton_options=options)) as server:
        assert server.control_headers == {}
        with ModelControl(f"grpc://{server.grpc_url}") as control:
            control.load("toy")
        with ModelControl(server.url) as control, pytest.raises(RequestError, match=REFUSAL):
            control.load("toy")
