"""Clients that log impressions are killed at random moments, two in one folder."""

import random
from pathlib import Path

import pytest
from artefacts.logging_processes import assert_logged_once, flushed_by_killed


@pytest.mark.faults(
    fault="SIGKILL of clients that log", promise="what was flushed is in the log once; no list in part", rounds=40
)
def test_killed_logger_leaves_a_whole_log(chance: random.Random, tmp_path: Path) -> None:
    assert_logged_once(tmp_path, flushed_by_killed(tmp_path, rounds=1, seed=chance.randrange(2**31)))
