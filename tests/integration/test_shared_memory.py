"""Requests in shared memory: the same answers, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.errors import ConfigError
from polyrank.serving import ClientOptions, Ranker, Server, serve
from polyrank.serving.transports import http

pytestmark = pytest.mark.triton

OPTIONS = ClientOptions(shared_memory=True)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


@pytest.fixture(autouse=True)
def every_request_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SHORTEST", 1)


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository") as running:
        yield running


@pytest.fixture(scope="module")
def rows(served: Path) -> pa.Table:
    return pq.read_table(served / "rows.parquet")


def registered(server: Server) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{server.url}/v2/systemsharedmemory/status")  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        found: list[dict[str, Any]] = json.load(answer)
    return found


def files() -> list[Path]:
    return list(SHARED_MEMORY.glob("polyrank-client-*"))


def test_answers_are_those_of_the_socket(server: Server, rows: pa.Table) -> None:
    with Ranker(server.url, "toy") as plain, Ranker(server.url, "toy", options=OPTIONS) as shared:
        for count in (1, 64, 300):
            assert shared.score(rows[:count]).equals(plain.score(rows[:count]))
        assert len(registered(server)) >= 1
        assert files() == []  # the names are gone as soon as both sides have the memory
    assert registered(server) == []


def test_threads_have_regions_of_their_own(server: Server, rows: pa.Table) -> None:
    starts = [step * 7 % 230 for step in range(80)]
    with Ranker(server.url, "toy") as plain, Ranker(server.url, "toy", options=OPTIONS) as shared:
        expected = [plain.score(rows[start : start + 60]) for start in starts]
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda start: shared.score(rows[start : start + 60]), starts))
    assert all(
        np.allclose(one["click"].to_numpy(), other["click"].to_numpy(), atol=1e-6)
        for one, other in zip(found, expected, strict=True)
    )
    assert registered(server) == []


KILLED = """
import os, signal, sys
import pyarrow.parquet as pq
from polyrank.serving import ClientOptions, Ranker
from polyrank.serving.transports import http
http.SHORTEST = 1
ranker = Ranker(sys.argv[1], "toy", options=ClientOptions(shared_memory=True))
ranker.score(pq.read_table(sys.argv[2])[:50])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_client_leaves_no_file_and_the_server_forgets_it(server: Server, served: Path) -> None:
    command = [sys.executable, "-c", KILLED, server.url, str(served / "rows.parquet")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert files() == []
    deadline = time.monotonic() + 20.0
    while registered(server) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert registered(server) == []


def test_server_that_knows_no_region_is_asked_by_the_socket(server: Server, rows: pa.Table) -> None:
    with Ranker(server.url, "toy", options=OPTIONS) as ranker:
        expected = ranker.score(rows[:40])
        request = urllib.request.Request(  # noqa: S310
            f"{server.url}/v2/systemsharedmemory/unregister", method="POST"
        )
        urllib.request.urlopen(request).close()  # noqa: S310 (as a server that has started anew)
        assert ranker.score(rows[:40]).equals(expected)
        assert ranker.score(rows[:40]).equals(expected)


def test_full_shared_memory_falls_back_to_the_socket(
    server: Server, rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _offset: int, _length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with Ranker(server.url, "toy", options=OPTIONS) as ranker:
        assert len(ranker.score(rows[:40])) == 40
    assert files() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("grpc://127.0.0.1:1", "shared_memory goes over HTTP, and 127.0.0.1:1 speaks gRPC; leave it out"),
        ("http://192.0.2.1:1", "shared_memory needs a server on this machine, got 192.0.2.1:1; leave it out"),
    ],
)
def test_shared_memory_elsewhere_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ranker(url, "toy", options=OPTIONS, timeout_s=1.0)
    assert str(caught.value) == message


def test_compression_of_shared_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^shared_memory and compression exclude each other; leave one of them out$"):
        ClientOptions(shared_memory=True, compression="gzip")
