"""Triton's HTTP endpoint, for what a supervisor asks of it. Needs the standard library alone."""

import http.client
import json
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from polyrank.errors import RequestError, ServerUnavailableError

TIMEOUT_S = 2.0


class Pending:
    """A request whose answer may take long, and is asked for now and then."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    @property
    def is_answered(self) -> bool:
        """Whether `result` returns at once."""
        sock = self._connection.sock
        return sock is None or bool(select.select([sock], [], [], 0.0)[0])

    def close(self) -> None:
        """Wait for the answer no longer."""
        self._connection.close()

    def result(self) -> Any:
        """Return the answer, from JSON; None when it is empty.

        Raises:
            ServerUnavailableError: There was none.
            RequestError: It is a refusal.
        """
        with _closing(self._connection):
            return _answer(self._connection)


class TritonHttp:
    """One server.

    Args:
        host: Its address.
        port: Its HTTP port.
        timeout_s: How long an answer may take, in seconds.
        headers: Sent with every request.
    """

    def __init__(
        self, host: str, port: int, *, timeout_s: float = TIMEOUT_S, headers: Mapping[str, str] | None = None
    ) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._headers = dict(headers or {})

    def get(self, path: str) -> Any:
        """Return what a path gives, from JSON; None when that is empty.

        Raises:
            ServerUnavailableError: There was no answer in time.
            RequestError: It is a refusal.
        """
        return self._begin("GET", path, None).result()

    def post(self, path: str, body: object) -> Any:
        """Send JSON and return the answer.

        Raises:
            ServerUnavailableError: There was no answer in time.
            RequestError: It is a refusal.
        """
        return self.begin(path, body).result()

    def begin(self, path: str, body: object) -> Pending:
        """Send JSON and return at once.

        Raises:
            ServerUnavailableError: It cannot be sent.
        """
        return self._begin("POST", path, json.dumps(body))

    def _begin(self, method: str, path: str, body: str | None) -> Pending:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, self._headers)
        except OSError as err:
            connection.close()
            raise _unavailable(connection, err) from err
        return Pending(connection)


@contextmanager
def _closing(connection: http.client.HTTPConnection) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as err:
        raise _unavailable(connection, err) from err
    finally:
        connection.close()


def _unavailable(connection: http.client.HTTPConnection, err: Exception) -> ServerUnavailableError:
    reason = str(err) or type(err).__name__
    return ServerUnavailableError(f"no answer over http from {connection.host}:{connection.port}: {reason}; is it up?")


def _answer(connection: http.client.HTTPConnection) -> Any:
    response = connection.getresponse()
    text = response.read()
    if response.status != http.HTTPStatus.OK:
        reason = _reason(text) or f"{response.status} {response.reason}"
        raise RequestError(f"{connection.host}:{connection.port} refused: {reason}")
    return json.loads(text) if text.strip() else None


def _reason(text: bytes) -> str:
    """Return the first line of Triton's error, without the traceback after it."""
    try:
        return str(json.loads(text)["error"]).split("\n", 1)[0]
    except (ValueError, KeyError, TypeError):  # not Triton's form
        return ""
