"""Clocks that jump, forwards and back."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from artefacts import shown
from artefacts.served import load_scores

from polyrank.serving import ImpressionLog, Ranker, Server, serve

DAY_S = 86_400.0


class JumpingClock:
    """Seconds since 1970, of a clock that is set to another day now and then.

    Attributes:
        told: every time that it gave.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._now = chance, 1_800_000_000.0
        self.told: list[float] = []

    def __call__(self) -> float:
        is_set = self._chance.random() < 0.2
        self._now += self._chance.uniform(-30, 30) * DAY_S if is_set else 0.001
        self.told.append(self._now)
        return self._now


@pytest.mark.faults(fault="clock that jumps: a log of impressions", promise="each row once, with its time", rounds=20)
def test_log_with_a_jumping_clock(chance: random.Random, tmp_path: Path) -> None:
    clock, items = JumpingClock(chance), shown.items()
    names = [str(number) for number in range(100)]
    with ImpressionLog(tmp_path, clock=clock, rotate_mb=0.02, rotate_s=0.05, flush_s=0.002) as log:
        for name in names:
            log.shown(shown.answer(items, request_id=name), user=shown.USER, items=items)
            if chance.random() < 0.05:
                log.rotate()
    found = shown.rows(tmp_path)
    assert sorted(found["request_id"].to_pylist()) == sorted(3 * names)
    times = {row.timestamp() for row in found["shown_at"].to_pylist()}
    assert all(any(abs(time - told) < 2e-6 for told in clock.told) for time in times)


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository", models=["toy"]) as running:
        yield running


@pytest.mark.faults(fault="clock that jumps: a client", promise="no deadline passes early; no wrong score", rounds=10)
def test_client_with_a_jumping_clock(
    chance: random.Random, server: Server, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, expected = pq.read_table(served / "rows.parquet"), load_scores(served / "scores.npz")["click"]
    monkeypatch.setattr(time, "time", JumpingClock(chance))
    with Ranker(server.url, "toy", timeout_s=20.0) as ranker:
        for _ in range(20):
            np.testing.assert_allclose(ranker.score(rows)["click"].to_numpy(), expected, atol=1e-5)
