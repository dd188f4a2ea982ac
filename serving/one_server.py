"""One server, each call to it sent once: for what is asked of a server, and not of a model."""

from typing import Any

from .addresses import address_of
from .caller import Caller, Deadline
from .calls import Call, Question, Reply
from .endpoints import Endpoints
from .options import ClientOptions
from .telemetry import Telemetry
from .waiting import Blocking, finish


class OneServer:
    """A server that is called once for each question, with all of the time for it.

    Args:
        url: of the server, as `Ranker` takes it.
        timeout_s: time for each call, in seconds.
        options: headers, TLS and compression; what is for the requests of a ranking, such as `attempt_timeout_s`, does
            not count.

    Raises:
        ConfigError: `url` is no address.
    """

    def __init__(self, url: str, timeout_s: float, options: ClientOptions | None) -> None:
        given = options or ClientOptions()
        own = ClientOptions(attempts=1, headers=given.headers, tls=given.tls, compression=given.compression)
        self._timeout_s = timeout_s
        self._endpoints = Endpoints([address_of(url)])
        self._caller = Caller(self._endpoints, own, Blocking(1), Telemetry())

    def ask(self, question: Question, **values: str) -> dict[str, Any]:
        """Answer a question; see `Caller.ask`."""
        return finish(self._caller.ask(question, values, Deadline(self._timeout_s), self._endpoints.choose())).answer

    def infer(self, call: Call) -> Reply:
        """Answer a request; see `Caller.infer`."""
        return finish(self._caller.infer(call, Deadline(self._timeout_s), self._endpoints.choose())).answer

    def close(self) -> None:
        """Close the connection."""
        finish(self._caller.close())
