"""A clock that jumps, forwards and back."""

import random
import threading
from pathlib import Path

import pytest
from artefacts import shown

from polyrank.serving import ImpressionLog

DAY_S = 86_400.0


class JumpingClock:
    """Seconds since 1970, of a clock that is set to another day now and then.

    Attributes:
        told: every time that it gave to the thread that made it.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._now = chance, 1_800_000_000.0
        self._owner = threading.get_ident()
        self.told: list[float] = []

    def __call__(self) -> float:
        is_set = self._chance.random() < 0.2
        now = self._now = self._now + (self._chance.uniform(-30, 30) * DAY_S if is_set else 0.001)
        if threading.get_ident() == self._owner:
            self.told.append(now)
        return now


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
    told = dict(zip(names, clock.told, strict=True))
    rows = zip(found["request_id"].to_pylist(), found["shown_at"].to_pylist(), strict=True)
    assert [name for name, time in rows if abs(time.timestamp() - told[name]) >= 2e-6] == []
