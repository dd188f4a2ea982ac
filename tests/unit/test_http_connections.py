"""Connections that are kept, lost, shared, cancelled and inherited."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from artefacts.scripted_http import Answer, Request, ScriptedHttp, http, refusal, scores

from polyrank.errors import RequestError, ServerUnavailableError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker
from polyrank.serving.addresses import address_of
from polyrank.serving.calls import METADATA, Call, Reply
from polyrank.serving.transports.http import HttpTransport
from polyrank.serving.waiting import finish

ROWS = [{"item": number} for number in range(3)]
ONCE = ClientOptions(attempts=1)


def infer_blocking(url: str, call: Call, options: ClientOptions = ONCE) -> Reply:
    transport = HttpTransport(address_of(url), options)
    reply = finish(transport.infer(call, 20.0))
    finish(transport.close())
    return reply


def infer_async(url: str, call: Call, options: ClientOptions = ONCE) -> Reply:
    async def ask() -> Reply:
        transport = HttpTransport(address_of(url), options, is_async=True)
        reply = await transport.infer(call, 20.0)
        await transport.close()
        return reply

    return asyncio.run(ask())


both_ways = pytest.mark.parametrize("infer", [infer_blocking, infer_async])


def test_calls_share_one_connection() -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        for _ in range(5):
            ranker.score(ROWS)
    assert server.connections == 1


def test_connection_closed_between_calls_is_opened_anew() -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        for _ in range(3):
            server.drop()
            assert len(ranker.score(ROWS)) == 3
    assert len(server.inferences) == 3


def test_connection_closed_at_the_next_request_is_opened_anew() -> None:
    def infer(request: Request) -> Answer | None:
        return Answer(closes=True) if request.connection == 0 else None

    server = ScriptedHttp(infer=infer)
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        assert len(ranker.score(ROWS)) == 3
    assert [request.connection for request in server.inferences] == [0, 1]


def test_server_that_closes_each_time_costs_a_connection_a_call() -> None:
    server = ScriptedHttp(infer=lambda request: Answer([scores(request.rows)], closes=True))
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        for _ in range(5):
            ranker.score(ROWS)
    assert server.connections == 5


def test_server_that_never_answers_is_given_up() -> None:
    server = ScriptedHttp(infer=lambda _request: Answer(closes=True))
    with (
        server.listening() as url,
        Ranker(url, "fake", options=ONCE) as ranker,
        pytest.raises(ServerUnavailableError, match=r"no server answers; .*\(the server closed the connection\)$"),
    ):
        ranker.score(ROWS)
    assert len(server.inferences) == 2  # over the connection that was open, and over a new one


def test_words_that_nobody_asked_for_are_no_answer() -> None:
    """A proxy says 408 to a connection that was idle, and closes it."""
    server = ScriptedHttp()
    late = http(status="408 Request Timeout", Connection="close")

    def infer(request: Request) -> Answer | None:
        return Answer([scores(request.rows) + late]) if request.number == 0 else None

    server.infer = infer
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        for _ in range(3):
            assert len(ranker.score(ROWS)) == 3
    assert server.connections == 2


def test_words_that_come_late_are_no_answer() -> None:
    server = ScriptedHttp(
        infer=lambda request: Answer([scores(request.rows), http(status="408 Request Timeout")], pause_s=0.05)
    )
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        for _ in range(3):
            assert len(ranker.score(ROWS)) == 3
            time.sleep(0.1)
    assert server.connections == 3


@both_ways
def test_request_of_100_megabytes_arrives_whole(infer: Callable[..., Reply]) -> None:
    big = np.arange(13_000_000, dtype=np.int64)[None]
    server = ScriptedHttp(infer=lambda _request: Answer([scores(1)]))
    with server.listening() as url:
        infer(url, Call("fake", {"ids": big}))
    (request,) = server.inferences
    assert request.body[-big.nbytes :] == big.tobytes()


@both_ways
def test_thousand_tensors_arrive_in_order(infer: Callable[..., Reply]) -> None:
    tensors = {f"t{number}": np.full((1, 3000), number, np.int64) for number in range(1200)}
    server = ScriptedHttp(infer=lambda _request: Answer([scores(1)]))
    with server.listening() as url:
        infer(url, Call("fake", tensors))
    (request,) = server.inferences
    found = np.frombuffer(request.body[int(request.headers["inference-header-content-length"]) :], np.int64)
    assert found.tolist() == np.repeat(np.arange(1200), 3000).tolist()


@both_ways
def test_refusal_of_a_body_before_it_is_read_is_told(infer: Callable[..., Reply]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(http(b"too large", "413 Content Too Large"))
                connection.shutdown(socket.SHUT_RD)  # whatever else arrives is answered with a reset
                time.sleep(0.2)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(Exception, match=r"too large|reset|Broken pipe"):
            infer(f"127.0.0.1:{listener.getsockname()[1]}", Call("fake", {"ids": np.zeros((1, 1_000_000), np.int64)}))
        thread.join()


@pytest.mark.parametrize("name", ["a b", "a/b", "ä", "a?b#c", "a%20b", "a\r\nHost: evil", "{model}", "../x"])
def test_names_of_models_are_quoted(name: str) -> None:
    from urllib.parse import quote

    server = ScriptedHttp()
    with server.listening() as url:
        transport = HttpTransport(address_of(url), ONCE)
        for work in (transport.infer(Call(name, {}, version=name), 5.0), transport.ask(METADATA, 5.0, model=name)):
            with pytest.raises(Exception, match="unknown model"):
                finish(work)
        finish(transport.close())
    path = f"/v2/models/{quote(name, safe='')}"
    assert [request.path for request in server.requests] == [f"{path}/versions/{quote(name, safe='')}/infer", path]


def test_cancelled_task_closes_its_connection() -> None:
    server = ScriptedHttp(infer=lambda request: Answer(delay_s=0.5) if request.number == 0 else None)

    async def ask(url: str) -> pa.Table:
        async with AsyncRanker(url, "fake", options=ONCE) as ranker:
            task = asyncio.create_task(ranker.score(ROWS))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await ranker.score(ROWS)

    with server.listening() as url:
        assert len(asyncio.run(ask(url))) == 3
    assert [request.connection for request in server.inferences] == [0, 1]


def test_child_of_a_fork_uses_its_own_connection() -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        ranker.score(ROWS)
        child = os.fork()
        if child == 0:
            os._exit(0 if len(ranker.score(ROWS)) == 3 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ranker.score(ROWS)
    assert [request.connection for request in server.inferences] == [0, 1, 0]


def test_child_of_a_fork_uses_its_own_threads() -> None:
    """The threads that send parts side by side stay with the parent."""
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake", options=ONCE, timeout_s=5.0) as ranker:
        ranker.score(ROWS * 20)
        child = os.fork()
        if child == 0:
            threading.Timer(3.0, os._exit, [2]).start()
            os._exit(0 if len(ranker.score(ROWS * 2)) == 6 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_keep_as_many_connections_as_asked() -> None:
    server = ScriptedHttp(infer=lambda request: Answer([scores(request.rows)], delay_s=0.02))
    options = ClientOptions(attempts=1, parallel=4)
    with server.listening() as url, Ranker(url, "fake", options=options) as ranker:
        with ThreadPoolExecutor(32) as pool:
            found = list(pool.map(lambda _: len(ranker.score(ROWS)), range(320)))
        time.sleep(0.2)
        assert server.num_open <= 4
    assert found == [3] * 320


def test_error_leaves_the_connection_open() -> None:
    server = ScriptedHttp(infer=lambda request: refusal("400 Bad Request", "wrong") if request.number == 0 else None)
    with server.listening() as url, Ranker(url, "fake", options=ONCE) as ranker:
        with pytest.raises(RequestError, match="request refused: wrong"):
            ranker.score(ROWS)
        ranker.score(ROWS)
    assert server.connections == 1
