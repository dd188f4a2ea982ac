"""An HTTP server over plain sockets that speaks Triton's protocol and misbehaves as told, byte by byte."""

import dataclasses
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from polyrank.signature import SIGNATURE_KEY

from .fake_triton import SIGNATURE

LENGTH = "Inference-Header-Content-Length"

Value = float | Sequence[float]
"""Of every score, or of that of each row."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What came in. `number` counts the inferences of the server, `connection` its connections, both from 0."""

    connection: int
    number: int
    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def header(self) -> Any:
        """The JSON header of an inference."""
        return json.loads(self.body[: int(self.headers[LENGTH.lower()])])

    @property
    def rows(self) -> int:
        """Rows of its first input."""
        return int(self.header["inputs"][0]["shape"][0])


@dataclasses.dataclass(frozen=True)
class Answer:
    """What goes out.

    Attributes:
        pieces: bytes, each sent by itself.
        closes: the connection is closed afterwards.
        resets: it is reset afterwards, so that the client's next bytes meet an error.
        delay_s: before anything is sent.
        pause_s: between pieces.
    """

    pieces: Sequence[bytes] = ()
    closes: bool = False
    resets: bool = False
    delay_s: float = 0.0
    pause_s: float = 0.0


def http(body: bytes = b"", status: str = "200 OK", **headers: Any) -> bytes:
    """Return a whole answer; names of headers are written with `_` for `-`."""
    lines = {"Content_Length": len(body), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def outputs(rows: int, value: Value = 0.5, version: str = "1", **fields: Any) -> tuple[bytes, bytes]:
    """Return the JSON header and the tensors of an answer to an inference; `fields` of its only output."""
    data = np.full((rows, 1), np.reshape(value, (-1, 1)), "<f4").tobytes()
    output = {"name": "click", "datatype": "FP32", "shape": [rows, 1], "parameters": {"binary_data_size": len(data)}}
    header = {"model_name": "fake", "model_version": version, "outputs": [output | fields]}
    return json.dumps(header).encode(), data


def scores(rows: int, value: Value = 0.5, version: str = "1", **headers: Any) -> bytes:
    """Return a whole answer to an inference."""
    header, data = outputs(rows, value, version)
    return http(header + data, **{LENGTH.replace("-", "_"): len(header), **headers})


def refusal(status: str, error: str | None = None) -> Answer:
    """Return an answer of another status, with Triton's JSON or without anything."""
    return Answer([http(b"" if error is None else json.dumps({"error": error}).encode(), status)])


@dataclasses.dataclass
class ScriptedHttp:
    """Serves `fake`, which answers 0.5 to every row, unless `value` or `infer` says otherwise.

    Attributes:
        infer: the answer to an inference; None is the usual one.
        version: what it says it serves.
        value: of every score, or of that of each row.
        signature: in the parameters of the configuration.
        max_batch_size: rows that a request takes.
        answers: of other paths than inference, by path; these come first.
        requests: that came in.
        connections: how many were accepted.
        context: of TLS.
    """

    infer: Callable[[Request], Answer | None] = lambda _request: None
    version: str = "1"
    value: Value = 0.5
    signature: str = SIGNATURE.to_json()
    max_batch_size: int = 4
    answers: dict[str, Answer] = dataclasses.field(default_factory=dict)
    requests: list[Request] = dataclasses.field(default_factory=list)
    connections: int = 0
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def inferences(self) -> list[Request]:
        """Requests for scores."""
        return [request for request in self.requests if request.path.endswith("/infer")]

    @property
    def num_open(self) -> int:
        """Connections that neither side has closed."""
        return len(self._open)

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[str]:
        """Give the address while it listens."""
        with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
            accepting = threading.Thread(target=self.accept, args=(listener,), daemon=True)
            accepting.start()
            try:
                yield f"127.0.0.1:{listener.getsockname()[1]}"
            finally:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                self.drop()
                accepting.join()

    def drop(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def accept(self, listener: socket.socket) -> None:
        """Answer whoever connects, until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                number, self.connections = self.connections, self.connections + 1
                threading.Thread(target=self._talk, args=(connection, number), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(connection)
        spoken = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                spoken = self.context.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open = self._open - {connection} | {spoken}
            while (request := self._read(spoken, number)) is not None:
                if not _send(spoken, self._answer(request)):
                    break
        except OSError:
            pass
        finally:
            spoken.close()
            with self._lock:
                self._open.discard(spoken)
                self._open.discard(connection)

    def _read(self, connection: socket.socket, number: int) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(1 << 16)
            if not more:
                return None
            data += more
            if not data[:1].isalpha():  # TLS, to which servers say this
                connection.sendall(http(status="400 Bad Request"))
                return None
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = bytearray(rest)
        while len(body) < int(headers["content-length"]):
            more = connection.recv(1 << 20)
            if not more:
                return None
            body += more
        verb, path, _ = first.split(" ")
        request = Request(number, len(self.inferences), verb, path, headers, bytes(body))
        with self._lock:
            self.requests.append(request)
        return request

    def _answer(self, request: Request) -> Answer:
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path.startswith("/v2/models/fake") and request.path.endswith("/infer"):
            return self.infer(request) or Answer([scores(request.rows, self.value, self.version)])
        return Answer([self._told(request.path)])

    def _told(self, path: str) -> bytes:
        parameters = {SIGNATURE_KEY: {"string_value": self.signature}}
        known: dict[str, Any] = {
            "/v2/health/ready": {},
            "/v2/repository/index": [{"name": "fake", "state": "READY"}],
            "/v2/models/fake": {"name": "fake", "versions": [self.version]},
            "/v2/models/fake/config": {"max_batch_size": self.max_batch_size, "parameters": parameters},
        }
        if path in known:
            return http(json.dumps(known[path]).encode())
        return http(
            json.dumps({"error": f"Request for unknown model: {path!r} is not found"}).encode(), "404 Not Found"
        )


def _send(connection: socket.socket, answer: Answer) -> bool:
    """Send an answer, and say whether the connection stays open."""
    time.sleep(answer.delay_s)
    for piece in answer.pieces:
        connection.sendall(piece)
        time.sleep(answer.pause_s)
    if answer.resets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return not answer.closes and not answer.resets
