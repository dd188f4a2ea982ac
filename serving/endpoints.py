"""The servers of a client: which of them gets the next request."""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .addresses import Address
from .failures import Failure, Kind
from .waiting import BlockingSignal, Signal

if TYPE_CHECKING:
    from .calls import Transport

_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
_KNOCK_S = 0.01
"""Between two attempts to connect to a server that refuses: a thousand calls that wait for it need not all try."""


class Endpoint:
    """One server.

    Attributes:
        address: where it listens.
        transport: how it is reached; None until it is used.
        in_flight: requests without an answer yet.
        has_answered: whether it ever did.
        back: given when it takes connections again.
        waiting: calls that wait for that.
    """

    def __init__(self, address: Address, back: Signal) -> None:
        self.address = address
        self.back = back
        self.transport: Transport | None = None
        self.in_flight = 0
        self.waiting = 0
        self.has_answered = False
        self._lock = threading.Lock()
        self._failures = 0
        self._paused_until = 0.0
        self._refusal: Failure | None = None
        self._next_knock = 0.0

    def keep(self, transport: "Transport") -> "Transport":
        """Set the transport unless there is one, and return that which there is."""
        with self._lock:
            if self.transport is None:
                self.transport = transport
            return self.transport

    def begin(self) -> None:
        """Note that a request is sent."""
        with self._lock:
            self.in_flight += 1

    def end(self) -> None:
        """Note that it is over."""
        with self._lock:
            self.in_flight -= 1

    def is_up(self, now: float) -> bool:
        """Whether it is worth a request: it did not fail a moment ago."""
        return now >= self._paused_until

    def wait_s(self, now: float) -> float:
        """Seconds until it is worth a request."""
        return max(self._paused_until - now, 0.0)

    @property
    def is_refusing(self) -> bool:
        """Whether it refused the last connection."""
        return self._refusal is not None

    async def wait(self, seconds: float) -> None:
        """Wait until it takes connections again, for so long at most."""
        with self._lock:
            self.waiting += 1
        try:
            await self.back.wait(seconds, lambda: not self.is_refusing)
        finally:
            with self._lock:
                self.waiting -= 1

    def refusal(self) -> Failure | None:
        """Return how it refused a connection a moment ago; None where the caller should make an attempt."""
        if self._refusal is None:
            return None
        with self._lock:
            now = time.monotonic()
            if now < self._next_knock and self._refusal is not None:
                return Failure(self._refusal.kind, self._refusal.text)
            self._next_knock = now + _KNOCK_S
        return None

    def succeeded(self) -> None:
        """Note an answer."""
        self.has_answered = True
        self._failures, self._paused_until = 0, 0.0
        self._accepted()

    def failed(self, failure: Failure) -> None:
        """Note a failure; one that says nothing of the server leaves it as it is."""
        if failure.kind is Kind.UNREACHABLE:
            self._refusal, self._next_knock = failure, time.monotonic() + _KNOCK_S
        else:
            self._accepted()
        if failure.kind in (Kind.UNREACHABLE, Kind.BROKEN, Kind.FOREIGN, Kind.TIMED_OUT):
            with self._lock:
                now = time.monotonic()
                if now >= self._paused_until:  # requests that fail together are one failure
                    self._paused_until = now + _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
                    self._failures += 1

    def _accepted(self) -> None:
        """Note that it takes connections, whatever it says."""
        if self._refusal is not None:
            self._refusal = None
            self.back.give()


class Endpoints:
    """Chooses the server with the fewest requests in flight of those that answer, in turn where several have as few."""

    def __init__(self, addresses: Sequence[Address], signal: Callable[[], Signal] = BlockingSignal) -> None:
        self.all = tuple(Endpoint(address, signal()) for address in addresses)
        self._turn = itertools.count()

    def choose(self, avoid: Endpoint | None = None) -> Endpoint:
        """Return the server for the next request, another than `avoid` where there is one."""
        if len(self.all) == 1:
            return self.all[0]
        now, turn = time.monotonic(), next(self._turn)
        others = [endpoint for endpoint in self.all if endpoint is not avoid]
        up = [endpoint for endpoint in others if endpoint.is_up(now)]
        if not up and avoid is not None and avoid.is_up(now):
            return avoid
        if not up:  # all have failed: the one that has been left alone for longest
            return min(others, key=lambda endpoint: endpoint.wait_s(now))
        fewest = min(endpoint.in_flight for endpoint in up)
        least = [endpoint for endpoint in up if endpoint.in_flight == fewest]
        return least[turn % len(least)]
