"""What the supervisor asks over HTTP, of a server that answers as told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from polyrank.errors import RequestError, ServerUnavailableError
from polyrank.serving.triton_http import TritonHttp


@contextmanager
def answering(status: int, text: bytes) -> Iterator[tuple[TritonHttp, list[bytes]]]:
    """Give an endpoint that answers so, and the bodies it gets."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield TritonHttp("127.0.0.1", server.server_port, timeout_s=5.0), bodies
        server.shutdown()
        thread.join()


def test_json_comes_back() -> None:
    with answering(200, b'[{"name": "a"}]') as (endpoint, _):
        assert endpoint.get("/") == [{"name": "a"}]


def test_empty_answer_is_none() -> None:
    with answering(200, b"") as (endpoint, _):
        assert endpoint.get("/") is None


def test_body_is_sent_as_json() -> None:
    with answering(200, b"") as (endpoint, bodies):
        endpoint.post("/", {"a": 1})
        assert bodies == [b'{"a": 1}']


def test_refusal_has_the_first_line_of_the_reason() -> None:
    with (
        answering(400, b'{"error": "no such model\\nTraceback"}') as (endpoint, _),
        pytest.raises(RequestError, match=r"^127\.0\.0\.1:\d+ refused: no such model$"),
    ):
        endpoint.get("/")


def test_refusal_without_a_reason_has_its_status() -> None:
    with answering(404, b"<html>") as (endpoint, _), pytest.raises(RequestError, match=r"refused: 404 Not Found$"):
        endpoint.get("/")


def test_nobody_at_the_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServerUnavailableError, match=rf"^no answer over http from 127\.0\.0\.1:{port}: .*refused"):
        TritonHttp("127.0.0.1", port).get("/")


def test_silence_is_told_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        pending = TritonHttp("127.0.0.1", port, timeout_s=0.2).begin("/", {})
        assert not pending.is_answered
        with pytest.raises(ServerUnavailableError, match=rf"from 127\.0\.0\.1:{port}: timed out; is it up\?$"):
            pending.result()


def test_answer_that_has_come_is_seen() -> None:
    with answering(200, b"7") as (endpoint, _):
        pending = endpoint.begin("/", {})
        while not pending.is_answered:
            pass
        assert pending.result() == 7
