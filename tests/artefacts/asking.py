"""One question to a server, asked by either client."""

import asyncio
from typing import Protocol

import pyarrow as pa
import pytest

from polyrank.serving import AsyncRanker, ClientOptions, Ranker

ROWS = [{"item": number, "other": 7} for number in range(3)]
QUICK = ClientOptions(attempts=3, backoff_s=0.001, backoff_limit_s=0.002)


class Score(Protocol):
    """Scores `ROWS` with the model `fake` so many times, and returns the last answer."""

    def __call__(
        self, urls: list[str], options: ClientOptions = QUICK, *, calls: int = 1, timeout_s: float = 5.0
    ) -> pa.Table: ...


def score_blocking(
    urls: list[str], options: ClientOptions = QUICK, *, calls: int = 1, timeout_s: float = 5.0
) -> pa.Table:
    with Ranker(urls, "fake", options=options, timeout_s=timeout_s) as ranker:
        return [ranker.score(ROWS) for _ in range(calls)][-1]


def score_async(urls: list[str], options: ClientOptions = QUICK, *, calls: int = 1, timeout_s: float = 5.0) -> pa.Table:
    async def ask() -> pa.Table:
        async with AsyncRanker(urls, "fake", options=options, timeout_s=timeout_s) as ranker:
            return [await ranker.score(ROWS) for _ in range(calls)][-1]

    return asyncio.run(ask())


both_ways = pytest.mark.parametrize("score", [score_blocking, score_async], ids=["blocking", "asyncio"])
