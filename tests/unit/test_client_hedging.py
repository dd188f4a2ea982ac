"""A second request where the first is slow."""

import asyncio
import threading
import time

import pytest
from artefacts.asking import ROWS, Score, both_ways
from artefacts.scripted_http import Answer, Request, ScriptedHttp, refusal, scores

from polyrank.errors import RequestError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker


@both_ways
def test_slow_request_is_sent_to_another_server(score: Score) -> None:
    slow = ScriptedHttp(infer=lambda request: Answer([scores(request.rows, 0.25)], delay_s=1.5))
    quick = ScriptedHttp()
    start = time.monotonic()
    with slow.listening() as first, quick.listening() as second:
        for urls in ([first, second], [second, first]):
            found = score(urls, ClientOptions(hedge_after_s=0.05))
            assert found["click"].to_pylist() == [0.5] * 3
    assert time.monotonic() - start < 1.0
    assert len(quick.inferences) == 2


@both_ways
def test_quick_answer_is_not_hedged(score: Score) -> None:
    server = ScriptedHttp()
    with server.listening() as url:
        score([url], ClientOptions(hedge_after_s=1.0), calls=5)
    assert len(server.inferences) == 5


@both_ways
def test_first_answer_wins_where_the_second_request_fails(score: Score) -> None:
    def infer(request: Request) -> Answer:
        return Answer([scores(3)], delay_s=0.2) if request.number == 0 else refusal("400 Bad Request", "no")

    with ScriptedHttp(infer=infer).listening() as url:
        assert len(score([url], ClientOptions(hedge_after_s=0.05))) == 3


@both_ways
def test_error_of_both_requests_is_told(score: Score) -> None:
    late = Answer(refusal("400 Bad Request", "both").pieces, delay_s=0.1)
    server = ScriptedHttp(infer=lambda _request: late)
    with server.listening() as url, pytest.raises(RequestError, match="request refused: both"):
        score([url], ClientOptions(hedge_after_s=0.02))


def test_slow_loser_of_a_hedge_is_closed_in_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    slow = ScriptedHttp(infer=lambda request: Answer([scores(3)], delay_s=0.6) if request.number % 2 == 0 else None)

    async def ask(url: str) -> tuple[int, int]:
        async with AsyncRanker(url, "fake", options=ClientOptions(hedge_after_s=0.02)) as ranker:
            for _ in range(4):
                await ranker.score(ROWS)
            await asyncio.sleep(0)
            return len(asyncio.all_tasks()), slow.num_open

    with slow.listening() as url:
        assert asyncio.run(ask(url), debug=True)[0] == 1
        time.sleep(0.8)
        assert slow.num_open == 0
    assert "never retrieved" not in caplog.text


def test_threads_of_hedges_end_with_the_ranker() -> None:
    before = set(threading.enumerate())
    slow = ScriptedHttp(infer=lambda request: Answer([scores(3)], delay_s=0.3) if request.number == 0 else None)
    with slow.listening() as url:
        with Ranker(url, "fake", options=ClientOptions(hedge_after_s=0.02)) as ranker:
            ranker.score(ROWS)
        time.sleep(0.6)
        left = [thread.name for thread in set(threading.enumerate()) - before if "polyrank" in thread.name]
        assert left == []
        assert slow.num_open == 0
