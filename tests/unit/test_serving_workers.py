"""How a model gets a lost worker back, from a Triton that answers as told."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from polyrank.errors import DeadlineExceededError
from polyrank.serving.triton_http import TritonHttp
from polyrank.serving.watch import Watch
from polyrank.serving.workers import RELOADS, Workers, repair

READY = [{"name": "ranker", "version": "1", "state": "READY"}]
CONFIG = {"name": "ranker", "instance_group": [{"count": 1}], "parameters": {"a": {"string_value": "b"}}}
WITHOUT_WORKERS = {"name": "ranker", "platform": "ensemble"}


class FakeTriton(ThreadingHTTPServer):
    """Answers with one model, and loads it as `loads` says: at once, never, or with a refusal.

    Attributes:
        orders: bodies of the loads.
    """

    daemon_threads = True

    def __init__(self, config: dict[str, Any], loads: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.config, self.loads = config, loads
        self.orders: list[dict[str, Any]] = []
        self.over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: FakeTriton

    def do_GET(self) -> None:
        self.answer(200, [] if "sharedmemory" in self.path else self.server.config)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/index"):
            self.answer(200, READY)
            return
        self.server.orders.append(body)
        if self.server.loads == "never":
            self.server.over.wait(30.0)
        with contextlib.suppress(ConnectionError):  # who waited in vain has left
            self.answer(400 if self.server.loads == "refused" else 200, {"error": "no such file"})

    def answer(self, status: int, value: object) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def triton(config: dict[str, Any] = CONFIG, loads: str = "at once") -> Iterator[tuple[FakeTriton, TritonHttp]]:
    with FakeTriton(config, loads) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server, TritonHttp("127.0.0.1", server.server_port)
        server.over.set()
        server.shutdown()
        thread.join()


def said(endpoint: TritonHttp, steps: int) -> list[str]:
    """Return what a repair says within so many steps, with the loads answered in between."""
    workers = Workers(os.getpid())
    found = []
    for text, _ in zip(repair(endpoint, ("ranker", "1"), workers, patience=10_000), range(steps), strict=False):
        found.append(text)
        time.sleep(0.001)
    return [text for text in found if text]


def test_load_that_changes_nothing_is_followed_by_one_that_differs() -> None:
    with triton() as (server, endpoint):
        assert said(endpoint, 1_000) == [
            "a worker of ranker ended; loading the model again",
            "ranker was loaded again",
        ]
    plain, forced = server.orders
    assert plain == {}
    config = json.loads(forced["parameters"]["config"])
    assert config["parameters"].pop(RELOADS)["string_value"].isdigit()
    assert config == CONFIG


def test_model_without_workers_is_left_alone() -> None:
    with triton(WITHOUT_WORKERS) as (server, endpoint):
        assert said(endpoint, 10) == []
    assert server.orders == []


def test_refused_load_is_told_and_tried_again() -> None:
    with triton(loads="refused") as (_, endpoint):
        texts = [text for text in said(endpoint, 200) if not text.startswith("a worker")]
    assert len(texts) > 1
    assert texts[0].startswith("ranker could not be loaded again: 127.0.0.1:")
    assert texts[0].endswith(" refused: no such file")


def test_load_that_does_not_end_is_an_error() -> None:
    with triton(loads="never") as (_, endpoint):
        steps = repair(endpoint, ("ranker", "1"), Workers(os.getpid()), patience=3)
        with pytest.raises(DeadlineExceededError, match=r"^did not load ranker again within 3 s$"):
            list(steps)


def test_watch_finds_the_fault_that_only_a_new_triton_cures() -> None:
    with triton(loads="never") as (_, endpoint):
        watch = Watch(endpoint, os.getpid(), ("ranker",), load_s=1.5)
        texts = [text for _ in range(8) for text in watch.look()]
    assert watch.fault == "did not load ranker again within 2 s"
    assert texts == [
        "a worker of ranker ended; loading the model again",
        "Triton did not load ranker again within 2 s; it answers for that model no more until it is started again",
    ]
    assert watch.models == ("ranker",)


def test_watch_of_nobody_has_no_answer() -> None:
    with triton() as (_, endpoint):
        pass
    watch = Watch(endpoint, os.getpid(), ("ranker",), load_s=1.0)
    assert watch.look() == []
    assert not watch.has_answered
    assert watch.models == ("ranker",)
