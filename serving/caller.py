"""Calls until an answer comes: one deadline, several attempts, several servers."""

import dataclasses
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from polyrank.errors import PolyrankError

from .calls import Call, Question, Reply, Transport
from .endpoints import Endpoint, Endpoints
from .failures import Failure, Kind, as_error, deadline_error, silence_error
from .options import ClientOptions
from .telemetry import Telemetry
from .transports import open_transport
from .waiting import Waiting, closed_error

T = TypeVar("T")

_OF_STRANGERS = 10
_NO_TIME_S = 0.002
"""Too little for an attempt; timers may end as much too early."""
_CROWD_S = 0.02
"""For each call that waits for a server, so that a hundred look in a second, however many wait."""

_SAFE = (Kind.UNREACHABLE, Kind.BROKEN, Kind.FOREIGN, Kind.TIMED_OUT, Kind.BUSY)


class Deadline:
    """When a call must be over.

    Args:
        timeout_s: from now, in seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds until then, 0 when it is over."""
        return max(self._end - time.monotonic(), 0.0)


class Answered(NamedTuple, Generic[T]):
    """An answer, and the server that gave it."""

    answer: T
    by: Endpoint


@dataclasses.dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    """What is sent, and what messages call it; `is_known` is whether the model was served before."""

    model: str
    subject: str
    run: Callable[[Transport, float], Coroutine[Any, Any, T]]
    is_known: bool


class Caller:
    """Sends calls to the servers of a client.

    Inference changes nothing at a server, so that a request may be sent again whenever its answer did not come.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        options: ClientOptions,
        waiting: Waiting,
        telemetry: Telemetry,
        *,
        is_async: bool = False,
    ) -> None:
        self.endpoints = endpoints
        self._options, self._waiting, self._telemetry, self._is_async = options, waiting, telemetry, is_async
        self._is_closed = False
        self._random = random.Random()  # noqa: S311 (it spreads attempts; nothing depends on its secrecy)

    async def infer(
        self, call: Call, deadline: Deadline, first: Endpoint, *, version: str = "", waits: bool = True
    ) -> Answered[Reply]:
        """Answer a request.

        Args:
            call: the request.
            deadline: of the call that it is part of.
            first: the server to ask first.
            version: that is expected to answer, for messages; one that was served before may come back.
            waits: for that.

        Raises:
            ServerUnavailableError, ModelNotReadyError, DeadlineExceededError, RequestError: see `failures`.
            ConfigError: no TLS with the server, or the client is closed.
        """
        shown = version or call.version
        subject = f"{call.model} version {shown}" if shown else call.model
        job = _Job(call.model, subject, lambda to, timeout_s: to.infer(call, timeout_s), waits and bool(version))
        return await self._try(job, deadline, first)

    async def ask(
        self,
        question: Question,
        values: Mapping[str, str],
        deadline: Deadline,
        first: Endpoint,
        *,
        is_known: bool = False,
    ) -> Answered[dict[str, Any]]:
        """Answer a question; see `infer`."""
        model = values.get("model", "")
        job = _Job(model, model or "server", lambda to, timeout_s: to.ask(question, timeout_s, **values), is_known)
        return await self._try(job, deadline, first, may_hedge=False)

    async def close(self) -> None:
        """Close all connections, and end what waits for one."""
        self._is_closed = True
        for endpoint in self.endpoints.all:
            endpoint.back.give()
            if endpoint.transport is not None:
                await endpoint.transport.close()
        self._waiting.close()

    async def _try(
        self, job: "_Job[T]", deadline: Deadline, endpoint: Endpoint, *, may_hedge: bool = True
    ) -> Answered[T]:
        attempt = 1
        while True:
            if self._is_closed:
                raise closed_error()
            try:
                return await self._attempt(job, deadline, endpoint, may_hedge=may_hedge)
            except Failure as failure:
                if self._is_closed:
                    raise closed_error() from failure
                endpoint = await self._after(failure, job, deadline, endpoint, attempt)
            attempt += 1

    async def _after(
        self, failure: Failure, job: "_Job[T]", deadline: Deadline, endpoint: Endpoint, attempt: int
    ) -> Endpoint:
        """Wait for the next attempt, or until the server is back, and return whom it asks.

        Raises:
            PolyrankError: there is none.
        """
        place = f"{job.subject} at {endpoint.address.place}"
        has_another = attempt < len(self.endpoints.all)
        is_safe = failure.kind in _SAFE or (failure.kind is Kind.NOT_READY and (job.is_known or has_another))
        left_s = deadline.left_s()
        if not is_safe or attempt >= self._attempts() or (left_s == 0.0 and attempt == 1):
            raise self._given_up(failure, place, deadline, attempt) from failure
        another = self.endpoints.choose(avoid=endpoint)
        is_fresh = has_another and another is not endpoint and another.is_up(time.monotonic())
        pause_s = 0.0 if is_fresh else self.pause_s(attempt)
        is_crowd = another.is_refusing and not is_fresh
        if pause_s >= left_s and not is_crowd:
            raise deadline_error(failure, place, deadline.timeout_s, attempt) from failure
        self._telemetry.retried(job.model, failure.kind.name.lower())
        if is_crowd:  # all that wait are told when it is back, so that few need to look
            pause_s = max(pause_s, self._random.uniform(0.0, another.waiting * _CROWD_S))
            await another.wait(min(pause_s, left_s))
        elif pause_s:
            await self._waiting.sleep(pause_s)
        if deadline.left_s() < _NO_TIME_S:
            raise deadline_error(failure, place, deadline.timeout_s, attempt) from failure
        return another

    def _given_up(self, failure: Failure, place: str, deadline: Deadline, attempt: int) -> PolyrankError:
        """Return the error of a call that is tried no more."""
        left_s = deadline.left_s()
        if failure.kind is not Kind.TIMED_OUT or left_s < _NO_TIME_S:
            return as_error(failure, place, deadline.timeout_s, attempt)
        remedy = "attempts" if self._options.attempt_timeout_s is None else "attempt_timeout_s or attempts"
        return silence_error(place, attempt, left_s, remedy)

    def _attempts(self) -> int:
        """Return how often a call is tried: less where no server ever answered, since the address may be wrong."""
        is_known = any(endpoint.has_answered for endpoint in self.endpoints.all)
        return self._options.attempts if is_known else min(self._options.attempts, _OF_STRANGERS)

    async def _attempt(self, job: "_Job[T]", deadline: Deadline, endpoint: Endpoint, *, may_hedge: bool) -> Answered[T]:
        hedge_s = self._options.hedge_after_s
        if hedge_s is None or not may_hedge:
            return await self._once(job, deadline, endpoint)
        return await self._waiting.first_of(
            lambda: self._once(job, deadline, endpoint),
            lambda: self._hedge(job, deadline, endpoint),
            hedge_s,
        )

    async def _hedge(self, job: "_Job[T]", deadline: Deadline, endpoint: Endpoint) -> Answered[T]:
        self._telemetry.hedged(job.model)
        return await self._once(job, deadline, self.endpoints.choose(avoid=endpoint))

    async def _once(self, job: "_Job[T]", deadline: Deadline, endpoint: Endpoint) -> Answered[T]:
        own = Deadline(self._timeout_s(deadline, endpoint))
        if own.timeout_s == 0.0:
            raise Failure(Kind.TIMED_OUT, "no answer in time")
        if (refusal := endpoint.refusal()) is not None:
            raise refusal
        endpoint.begin()
        try:
            transport = await self._transport(endpoint, own.timeout_s)
            answer = await job.run(transport, own.left_s())
        except Failure as failure:
            endpoint.failed(failure)
            raise
        finally:
            endpoint.end()
        endpoint.succeeded()
        return Answered(answer, endpoint)

    def _timeout_s(self, deadline: Deadline, endpoint: Endpoint) -> float:
        """Return the time for an attempt: half of it for a stranger, so that another server may answer after it."""
        left, limit = deadline.left_s(), self._options.attempt_timeout_s
        if not endpoint.has_answered and len(self.endpoints.all) > 1:
            left /= 2
        return left if limit is None else min(left, limit)

    async def _transport(self, endpoint: Endpoint, timeout_s: float) -> Transport:
        if endpoint.transport is not None:
            return endpoint.transport
        opened = await open_transport(endpoint.address, self._options, timeout_s, is_async=self._is_async)
        kept = endpoint.keep(opened)
        if kept is not opened:  # another thread was faster
            await opened.close()
        return kept

    def pause_s(self, attempt: int) -> float:
        """Draw a wait after an attempt, in seconds.

        Full jitter, as in M. Brooker, "Exponential Backoff and Jitter" (AWS, 2015).
        """
        highest = min(self._options.backoff_s * 2 ** (attempt - 1), self._options.backoff_limit_s)
        return self._random.uniform(0.0, highest)
