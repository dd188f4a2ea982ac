"""Many calls at once while their server is away: few of them try, and all go on as soon as it is back."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest
from artefacts.asking import ROWS
from artefacts.scripted_http import Answer, ScriptedHttp, scores

from polyrank.errors import PolyrankError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker
from polyrank.serving.transports.streams import AsyncStream, BlockingStream
from polyrank.serving.waiting import AsyncSignal

CALLS = 200
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

    async def watched(signal: AsyncSignal, seconds: float) -> None:
        waits.append(seconds)
        await wait(signal, seconds)

    monkeypatch.setattr(AsyncSignal, "wait", watched)

    async def ask(server: ScriptedHttp) -> list[BaseException | pa.Table]:
        with server.listening() as url:
            ranker = AsyncRanker(url, "fake", options=options)
            await ranker.score(ROWS)
        connections.clear()
        async with ranker:
            calls = (ranker.score(ROWS, timeout_s=1.0) for _ in range(CALLS))
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(ask(ScriptedHttp()))
    assert all("deadline of 1 s passed after" in str(answer) for answer in answers)
    assert not [str(answer) for answer in answers if "no connection could be made" not in str(answer)][:3]
    assert len(waits) <= CALLS + 300  # a hundred in a second, and as many again while the crowd gathers
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


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
