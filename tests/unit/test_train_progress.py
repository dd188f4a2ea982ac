import logging

import pytest

from polyrank.train.progress import ProgressLines


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr("polyrank.train.progress.time.monotonic", lambda: clock[0])
    return clock


def test_line_says_rows_rate_and_rest(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "polyrank")
    lines = ProgressLines(1_000, shown=True)
    lines.total = 10_000
    now[0] = 10.0
    lines.update(4_000)
    assert caplog.messages == ["train: 5,000 of 10,000 rows (50%), 400 rows/s, 12 s left"]


def test_nothing_is_said_within_ten_seconds(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "polyrank")
    lines = ProgressLines(0, shown=True)
    lines.total = 10_000
    now[0] = 10.0
    lines.update(1)
    now[0] = 19.0
    lines.update(1)
    assert len(caplog.messages) == 1


def test_quiet_training_says_nothing(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "polyrank")
    lines = ProgressLines(0, shown=False)
    lines.total = 10
    now[0] = 100.0
    lines.update(5)
    assert caplog.messages == []
