"""Load on a server: requests that arrive when they arrive, whether or not those before are answered.

The arrivals of a rate are a Poisson process, fixed before the first is sent, and the latency of a request counts from
its arrival. A client that waits for an answer before it sends the next asks less of a server just when that is slow,
and so never sees the worst ("coordinated omission", G. Tene, "How NOT to Measure Latency", 2013).
"""

import asyncio
import time
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import is_number, shown
from polyrank.errors import ConfigError

from .calls import Call, Transport
from .failures import Failure, Kind, as_error
from .load_target import LoadOptions, LoadTarget

MAX_RATE = 100_000.0
MAX_P99_MS = 86_400_000.0
_FEW = 50
"""Of fewer requests, on average, chance may make none."""
_QUANTILES = (50.0, 90.0, 99.0, 99.9)
_KEPT_UP = 0.98
"""Share of the arrivals that must be answered as fast as they came for a rate to count as held."""
_PRECISION = 1.05
"""The highest rate is searched until the one found and one that fails are this close."""
_SLEEPY = 16
"""Up to so many times the first rate, one that fails says nothing of higher ones."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a server made of one rate.

    Attributes:
        rate: requests a second, as asked for.
        requests: how many arrived, which chance decides.
        seconds: in which they arrived.
        answered: requests a second that were answered, until the last answer.
        errors: how many were not answered, by what was wrong.
        p50_ms, p90_ms, p99_ms, p999_ms, max_ms: latency from arrival to answer of those that were; NaN of none.
        versions: of the model that answered.
    """

    rate: float
    requests: int
    seconds: float
    answered: float
    errors: dict[str, int]
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    versions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all were answered, about as fast as they arrived."""
        return not self.errors and self.answered >= _KEPT_UP * self.requests / self.seconds


def measure(target: LoadTarget, rate: float, options: LoadOptions) -> Load:
    """Send requests at a rate, per second, for `options.seconds`.

    Raises:
        ConfigError: the rate is not in (0, 100000], or gives no request.
        ServerUnavailableError: no server answers at all.
    """
    check_rate(rate, options)
    return asyncio.run(_Run(target, options).measure(rate))


def check_rate(rate: float, options: LoadOptions) -> None:
    """Refuse a rate of which nothing could be measured.

    Raises:
        ConfigError: it is not in (0, 100000], or gives no request within `options.seconds`.
    """
    if not 0 < rate <= MAX_RATE:
        raise ConfigError(f"rate must be in (0, {MAX_RATE:g}] requests per second, got {rate:g}")
    if rate * options.seconds < _FEW and not len(_drawn(rate, options)[1]):
        raise ConfigError(
            f"rate {rate:g} gives no request within {options.seconds:g} s; raise it, or measure for longer"
        )


def _drawn(rate: float, options: LoadOptions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the arrivals of the warm-up, and those that count."""
    random = np.random.default_rng(options.seed)
    return arrivals(random, rate, options.warm_up_s), arrivals(random, rate, options.seconds)


def check_limit(p99_ms: float) -> None:
    """Refuse what cannot be a limit of latency, in ms.

    Raises:
        ConfigError: it is not above 0 and at most a day.
    """
    if not is_number(p99_ms) or not 0 < p99_ms <= MAX_P99_MS:
        raise ConfigError(f"p99_ms must be above 0 and at most {MAX_P99_MS:.0f}, got {shown(p99_ms)}")


def highest_rate(
    target: LoadTarget, p99_ms: float, options: LoadOptions, told: Callable[[Load], None], *, first: float = 50.0
) -> tuple[float, list[Load]]:
    """Find the highest rate whose p99 is within a limit and of which every request is answered.

    Doubles the rate until it fails, then halves the distance until 5 % are left. A rate fails that does so twice, since
    a busy moment is enough for a p99; the lowest may fail, since processors that sleep between requests answer late.

    Args:
        target: what to send.
        p99_ms: the limit, in ms.
        options: of each rate.
        told: called with each rate's result.
        first: rate to begin with, per second.

    Returns:
        The rate, 0 where the first five fail, and the last measurement of each rate.
    """
    check_limit(p99_ms)
    loads: list[Load] = []

    def is_held(rate: float) -> bool:
        for _ in range(2):
            load = measure(target, rate, options)
            told(load)
            if is_good := load.holds and load.p99_ms <= p99_ms:
                break
        loads.append(load)
        return is_good

    held, failed = 0.0, first
    while failed <= MAX_RATE:
        if is_held(failed):
            held = failed
        elif held or failed >= _SLEEPY * first:
            break
        failed *= 2
    while held and failed / held > _PRECISION:
        middle = (held * failed) ** 0.5
        held, failed = (middle, failed) if is_held(middle) else (held, middle)
    return held, loads


class _Run:
    """One run: connections, and what became of each request."""

    def __init__(self, target: LoadTarget, options: LoadOptions) -> None:
        self._target, self._options = target, options
        self._latencies: list[float] = []
        self._ended = 0.0
        self._errors: dict[str, int] = {}
        self._versions: dict[str, None] = {}

    async def measure(self, rate: float) -> Load:
        options = self._options
        warm_up, times = _drawn(rate, options)
        try:
            transport = await self._target.connect(options)
        except Failure as failure:
            raise as_error(failure, f"server at {self._target.url}", options.timeout_s) from failure
        try:
            await self._send(transport, warm_up)
            self._latencies.clear()
            self._errors.clear()
            start = time.perf_counter()
            await self._send(transport, times)
            took = max(self._ended - start, options.seconds)
        finally:
            await transport.close()
        return self._summary(rate, len(times), took)

    async def _send(self, transport: Transport, times: NDArray[np.float64]) -> None:
        """Send a request at each arrival, in seconds from now, and wait for the last answer."""
        free = asyncio.Semaphore(self._options.connections)
        calls = self._target.calls
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, arrival in enumerate(times):
                wait = start + arrival - time.perf_counter()
                await asyncio.sleep(max(wait, 0.0))
                tasks.create_task(self._one(transport, calls[number % len(calls)], start + arrival, free))

    async def _one(self, transport: Transport, call: Call, arrival: float, free: asyncio.Semaphore) -> None:
        async with free:
            left_s = max(self._options.timeout_s - (time.perf_counter() - arrival), 0.0)
            try:
                reply = await transport.infer(call, left_s)
            except Failure as failure:
                reason = failure.text if failure.kind is Kind.REFUSED else failure.kind.value
                self._errors[reason] = self._errors.get(reason, 0) + 1
                return
            self._ended = time.perf_counter()
            self._latencies.append(self._ended - arrival)
            self._versions[reply.version] = None

    def _summary(self, rate: float, requests: int, took: float) -> Load:
        values = 1e3 * np.array(self._latencies or [np.nan])
        p50, p90, p99, p999 = map(float, np.percentile(values, _QUANTILES))
        return Load(
            rate=rate,
            answered=len(self._latencies) / took,
            requests=requests,
            seconds=self._options.seconds,
            errors=dict(self._errors),
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            p999_ms=p999,
            max_ms=float(values.max()),
            versions=tuple(self._versions),
        )


def arrivals(random: np.random.Generator, rate: float, seconds: float) -> NDArray[np.float64]:
    """Draw when requests arrive within `seconds`: independent gaps, 1/rate on average."""
    count = int(rate * seconds + 6 * (rate * seconds) ** 0.5 + 10)
    times = np.cumsum(random.exponential(1.0 / rate, count))
    return times[times < seconds]
