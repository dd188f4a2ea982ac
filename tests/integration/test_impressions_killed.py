"""Logs of impressions whose processes are killed: what was flushed is there, once."""

from collections import Counter
from pathlib import Path

import pytest
from artefacts import shown
from artefacts.logging_processes import ITEMS_SHOWN, flushed_by_killed

from polyrank.serving import ImpressionLog


def check(folder: Path, flushed: list[str]) -> None:
    """Recover the folder, and look for every list that was flushed, and for any that is there twice or in part."""
    ImpressionLog.recover(folder)
    counts = Counter(shown.rows(folder)["request_id"].to_pylist())
    assert len(flushed) > 20
    assert {counts[name] for name in flushed} == {ITEMS_SHOWN}
    assert set(counts.values()) == {ITEMS_SHOWN}
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_flushed_rows_survive_kills_once(tmp_path: Path) -> None:
    check(tmp_path, flushed_by_killed(tmp_path, rounds=30, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_flushed_rows_survive_many_kills_once(tmp_path: Path, seed: int) -> None:
    check(tmp_path, flushed_by_killed(tmp_path, rounds=100, seed=100 + seed, writers=4))
