import math
import socket
import time
from typing import Any

import pytest
from artefacts.asking import ROWS
from artefacts.scripted_http import Answer, ScriptedHttp, http

from polyrank import serving
from polyrank.errors import ConfigError, RequestError, ServerUnavailableError
from polyrank.serving import ClientOptions, LocalRanker, Ranker


@pytest.fixture
def unused_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        ":8001",
        "localhost:",
        "localhost:grpc",
        "localhost:0",
        "localhost:65536",
        "localhost:99999",
        "localhost:-1",
        "localhost:8001/v2",
        "http://localhost",
        "ftp://localhost:8000",
        "http://user@localhost:8000",
        "dns:///localhost:8001",
        "a host:8001",
        "localhost:8001 ",
        "::1:8001",
        "[::1]",
    ],
)
def test_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ranker(url, "toy")
    assert str(caught.value) == (
        "url must be host:port of the server, as in localhost:8000, http://localhost:8000 or grpc://localhost:8001 "
        f"(https, grpcs), got {url!r}"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:1", "localhost:1", "[::1]:1"])
def test_url_of_a_host_and_port_is_tried(url: str) -> None:
    with pytest.raises(ServerUnavailableError, match=r" at .*:1: no server answers after 10 attempts; start one "):
        Ranker(url, "toy")


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, 1e99, math.inf, math.nan])
def test_timeout_that_is_no_time_is_refused(timeout_s: float) -> None:
    with pytest.raises(ConfigError) as caught:
        Ranker("localhost:8001", timeout_s=timeout_s)
    assert str(caught.value) == f"timeout_s must be above 0 and at most 1,000,000 seconds, got {timeout_s}"


@pytest.mark.parametrize("model", ["toy", None])
def test_nobody_listening_is_told_quickly(unused_url: str, model: str | None) -> None:
    start = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"^(toy|server) at 127.*: no server answers after 10 attempts; "):
        Ranker(unused_url, model, timeout_s=30.0)
    assert time.monotonic() - start < 3.0


def test_unknown_name_of_the_room_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"^module 'polyrank\.serving' has no attribute 'Rankers'$"):
        _ = serving.Rankers


@pytest.mark.parametrize("version", ["", "latest", "-1", "1.0", "²", 2])
def test_version_that_is_no_number_is_refused(version: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ranker("localhost:8001", "toy", version=version)
    assert str(caught.value) == f"version must be the number of a version as text, as in '2', got {version!r}"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no url": ({"url": None}, "url must be host:port of the server, as in localhost:8000, or a list of such, got None"),
    "a port alone": (
        {"url": 8000},
        "url must be host:port of the server, as in localhost:8000, or a list of such, got 8000",
    ),
    "no urls": ({"url": []}, "url must be host:port of the server, as in localhost:8000, or a list of such, got none"),
    "a number for a model": ({"model": 5}, "model must be the name of a model, got 5; None takes the only one"),
    "an empty model": ({"model": ""}, "model must be the name of a model, got ''; None takes the only one"),
    "a dict for options": ({"options": {}}, "options must be ClientOptions(...), got dict"),
    "a number for telemetry": (
        {"telemetry": 5},
        "telemetry must be a Telemetry, such as polyrank.serving.Metrics(), got 5",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_argument_of_a_wrong_type_is_refused(case: str) -> None:
    arguments, message = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        Ranker(**({"url": "localhost:1", "model": "toy"} | arguments))
    assert str(caught.value) == message


def test_longest_timeout_is_one_that_sockets_take() -> None:
    with ScriptedHttp().listening() as url, Ranker(url, "fake", timeout_s=1_000_000) as ranker:
        assert len(ranker.score(ROWS)) == 3


@pytest.mark.parametrize("request_id", [5, b"x", "a\nb", "\0", "x" * 201])
def test_request_id_that_is_no_word_of_a_log_is_refused(request_id: Any) -> None:
    message = r"^request_id must be text of at most 200 characters that can be printed, got "
    with ScriptedHttp().listening() as url, Ranker(url, "fake") as ranker, pytest.raises(ConfigError, match=message):
        ranker.score(ROWS, request_id=request_id)


@pytest.mark.parametrize("shared_memory", ["yes", 1, None])
def test_shared_memory_is_true_or_false(shared_memory: Any) -> None:
    with pytest.raises(ConfigError, match=r"^shared_memory must be true or false, got "):
        ClientOptions(shared_memory=shared_memory)


@pytest.mark.parametrize("bundle", [None, 5, ["x"]])
def test_bundle_that_is_no_path_is_refused(bundle: Any) -> None:
    with pytest.raises(ConfigError, match=r"^bundle must be the directory of a bundle, got "):
        LocalRanker(bundle)


def test_port_of_metrics_is_told() -> None:
    """Triton's port of metrics answers nothing to any GET, and refuses every POST."""
    server = ScriptedHttp(
        answers={
            "/v2/health/ready": Answer([http()]),
            "/v2/models/fake": Answer([http()]),
            "/v2/repository/index": Answer([http(status="405 Method Not Allowed")]),
        }
    )
    message = r"request refused: .*; where this port gives metrics, take that for HTTP or gRPC$"
    with server.listening() as url:
        for model in ("fake", None):
            with pytest.raises(RequestError, match=message):
                Ranker(url, model)


def test_port_of_another_protocol_is_told() -> None:
    server = ScriptedHttp(answers={"/v2/models/fake": Answer([b"SSH-2.0-OpenSSH_9.2\r\n"], closes=True)})
    message = r": another protocol is spoken there after 2 attempts; leave out the scheme, or write that of the port "
    with server.listening() as url, pytest.raises(ServerUnavailableError, match=message):
        Ranker(f"http://{url.removeprefix('http://')}", "fake", options=ClientOptions(attempts=2))
