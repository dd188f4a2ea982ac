"""Logs of impressions whose processes are killed: what was flushed is there, once."""

from pathlib import Path

import pytest
from artefacts.logging_processes import assert_logged_once, flushed_by_killed


def test_flushed_rows_survive_kills_once(tmp_path: Path) -> None:
    flushed = flushed_by_killed(tmp_path, rounds=30, seed=1)
    assert len(flushed) > 20
    assert_logged_once(tmp_path, flushed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_flushed_rows_survive_many_kills_once(tmp_path: Path, seed: int) -> None:
    flushed = flushed_by_killed(tmp_path, rounds=100, seed=100 + seed, writers=4)
    assert len(flushed) > 20
    assert_logged_once(tmp_path, flushed)
