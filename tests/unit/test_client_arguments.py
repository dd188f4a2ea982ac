import math
import socket
import time

import pytest

from polyrank import serving
from polyrank.errors import ConfigError, ServerUnavailableError
from polyrank.serving import Ranker


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


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, math.inf, math.nan])
def test_timeout_that_is_no_time_is_refused(timeout_s: float) -> None:
    with pytest.raises(ConfigError) as caught:
        Ranker("localhost:8001", timeout_s=timeout_s)
    assert str(caught.value) == f"timeout_s must be above 0 and finite, got {timeout_s}"


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
