"""Many calls at once while their server is away: few of them try, and all go on as soon as it is back."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pytest
from artefacts.asking import ROWS
from artefacts.scripted_http import Answer, ScriptedHttp, refusal, scores

from polyrank.errors import PolyrankError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker
from polyrank.serving.addresses import address_of
from polyrank.serving.endpoints import Endpoint
from polyrank.serving.failures import Failure, Kind
from polyrank.serving.transports.streams import AsyncStream, BlockingStream
from polyrank.serving.waiting import AsyncSignal, BlockingSignal, finish

CALLS, SECONDS = 200, 3
SLOW = ClientOptions(attempts=100, backoff_s=20.0, backoff_limit_s=20.0)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When connections were asked for."""
    times: list[float] = []

    def watched(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def opened(*arguments: Any) -> Any:
            times.append(time.monotonic())
            return await method(*arguments)

        return opened

    for stream in (AsyncStream, BlockingStream):
        monkeypatch.setattr(stream, "open", watched(stream.open))
    return times


def test_few_tasks_try_to_connect_while_nobody_listens(
    connections: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ClientOptions(attempts=1000, backoff_s=0.05, backoff_limit_s=0.05)
    waits: list[float] = []
    wait = AsyncSignal.wait

    async def watched(signal: AsyncSignal, seconds: float, unless: Callable[[], bool]) -> None:
        waits.append(seconds)
        await wait(signal, seconds, unless)

    monkeypatch.setattr(AsyncSignal, "wait", watched)

    async def ask(server: ScriptedHttp) -> list[BaseException | pa.Table]:
        with server.listening() as url:
            ranker = AsyncRanker(url, "fake", options=options)
            await ranker.score(ROWS)
        connections.clear()
        async with ranker:
            calls = (ranker.score(ROWS, timeout_s=SECONDS) for _ in range(CALLS))
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(ask(ScriptedHttp()))
    assert all(f"deadline of {SECONDS} s passed after" in str(answer) for answer in answers)
    assert sum("no connection could be made" in str(answer) for answer in answers) > CALLS / 2
    assert len(waits) <= 2 * CALLS + 200 * SECONDS  # a hundred in a second, and more while the crowd gathers
    assert (
        CALLS < len(connections) <= CALLS + 2 + (connections[-1] - connections[0]) / 0.01
    )  # the first of each, and few


def test_few_threads_try_to_connect_while_nobody_listens(connections: list[float]) -> None:
    options = ClientOptions(attempts=1000, backoff_s=0.05, backoff_limit_s=0.05)
    errors: list[str] = []
    with ScriptedHttp().listening() as url:
        ranker = Ranker(url, "fake", options=options)
    connections.clear()

    def ask() -> None:
        try:
            ranker.score(ROWS, timeout_s=0.5)
        except PolyrankError as err:
            errors.append(str(err))

    with ranker:
        _all([threading.Thread(target=ask) for _ in range(20)])
    assert ["deadline of 0.5 s passed after" in error for error in errors] == [True] * 20
    assert len(connections) <= 20 + 2 + (connections[-1] - connections[0]) / 0.01


def test_tasks_that_wait_go_on_when_one_of_them_is_answered() -> None:
    async def ask(server: ScriptedHttp) -> float:
        with server.listening() as url:
            ranker = AsyncRanker(url, "fake", timeout_s=30.0, options=SLOW)
            await ranker.score(ROWS)
        waiting = [asyncio.create_task(ranker.score(ROWS)) for _ in range(CALLS)]
        await asyncio.sleep(0.3)
        with server.listening(_port(url)):
            start = time.monotonic()
            async with ranker:
                await ranker.score(ROWS)
                assert [len(scores) for scores in await asyncio.gather(*waiting)] == [3] * CALLS
        return time.monotonic() - start

    assert asyncio.run(ask(ScriptedHttp())) < 5.0


def test_threads_that_wait_go_on_when_one_of_them_is_answered() -> None:
    server, found = ScriptedHttp(), []
    with server.listening() as url:
        ranker = Ranker(url, "fake", timeout_s=30.0, options=SLOW)
    threads = [threading.Thread(target=lambda: found.append(len(ranker.score(ROWS)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    with server.listening(_port(url)), ranker:
        start = time.monotonic()
        ranker.score(ROWS)
        for thread in threads:
            thread.join()
    assert found == [3] * 20
    assert time.monotonic() - start < 5.0


def test_new_version_is_read_once_for_all_tasks() -> None:
    server = ScriptedHttp()

    async def ask() -> None:
        with server.listening() as url:
            async with AsyncRanker(url, "fake") as ranker:
                await ranker.score(ROWS)
                server.infer = lambda request: Answer([scores(request.rows, version="2")], delay_s=0.1)
                server.version = "2"
                server.requests.clear()
                await asyncio.gather(*(ranker.score(ROWS) for _ in range(40)))
                assert ranker.version == "2"

    asyncio.run(ask())
    assert sum(request.path == "/v2/models/fake" for request in server.requests) <= 3


def test_wrong_address_is_told_to_all_tasks_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{probe.getsockname()[1]}"

    async def ask() -> list[BaseException | pa.Table]:
        ranker = AsyncRanker(url, "fake", timeout_s=60.0, options=ClientOptions(backoff_s=0.05, backoff_limit_s=0.05))
        return await asyncio.gather(*(ranker.score(ROWS) for _ in range(30)), return_exceptions=True)

    start = time.monotonic()
    answers = asyncio.run(ask())
    assert all("no server answers after 10 attempts" in str(answer) for answer in answers)
    assert (
        time.monotonic() - start < 12.0
    )  # ten looks of 30 that wait, 0.3 s each on average; one by one it takes longer


def test_address_that_never_answered_does_not_end_the_wait_for_one_that_did() -> None:
    server = ScriptedHttp()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{probe.getsockname()[1]}"
    options = ClientOptions(attempts=200, backoff_s=0.05, backoff_limit_s=0.05)
    with server.listening() as url:
        ranker = Ranker([url, dead], "fake", options=options)
        ranker.score(ROWS)
    with ranker, ExitStack() as stack:
        timer = threading.Timer(1.0, lambda: stack.enter_context(server.listening(_port(url))))
        timer.start()
        assert len(ranker.score(ROWS)) == 3
        timer.join()


@pytest.mark.parametrize("kind", [Kind.NOT_READY, Kind.REFUSED, Kind.BUSY, Kind.TIMED_OUT, Kind.BROKEN])
def test_server_that_says_anything_refuses_no_more(kind: Kind) -> None:
    endpoint = Endpoint(address_of("localhost:1"), BlockingSignal())
    endpoint.failed(Failure(Kind.UNREACHABLE, "refused"))
    assert endpoint.is_refusing
    endpoint.failed(Failure(kind, "no"))
    assert not endpoint.is_refusing


def test_close_ends_what_waits() -> None:
    errors: list[str] = []
    with ScriptedHttp().listening() as url:
        ranker = Ranker(url, "fake", timeout_s=60.0, options=SLOW)

    def ask() -> None:
        try:
            ranker.score(ROWS)
        except PolyrankError as err:
            errors.append(str(err))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    start = time.monotonic()
    ranker.close()
    thread.join()
    assert errors == ["the client is closed; make a new one"]
    assert time.monotonic() - start < 2.0


def test_signal_that_is_given_while_one_looks_is_not_missed() -> None:
    signal, start = BlockingSignal(), time.monotonic()

    def looks() -> bool:
        signal.give()
        return False

    finish(signal.wait(30.0, looks))
    assert time.monotonic() - start < 1.0


def test_wait_for_a_full_queue_is_cut_short_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endpoint, "wait", lambda *_: pytest.fail("waits for a server that answers"))
    server = ScriptedHttp(infer=lambda request: refusal("503 Service Unavailable") if request.number < 3 else None)
    with server.listening() as url, Ranker(url, "fake", options=ClientOptions(backoff_s=0.01)) as ranker:
        assert len(ranker.score(ROWS)) == 3


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
