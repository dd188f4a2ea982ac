"""Processes that may open few files: the limit is random, from too few to enough."""

import functools
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts.killed_repositories import assert_no_leftovers, assert_whole, versions
from artefacts.refused import refused
from artefacts.trainings import TRAIN, filled, weights

from polyrank.export import Bundle

MOST = 14
"""With so many all of these are done."""


def with_files(count: int, *command: str) -> list[str]:
    """Return a command with a limit of open files."""
    return ["sh", "-c", f'ulimit -n {count}; exec "$@"', "sh", *command]


@functools.cache
def fewest() -> int:
    """How many open files Python itself needs to begin."""
    command = (sys.executable, "-c", "import polyrank")
    return next(
        count
        for count in range(3, MOST)
        if subprocess.run(with_files(count, *command), capture_output=True, check=False).returncode == 0
    )


def limited(chance: random.Random, *arguments: str) -> list[str]:
    """Return a command that runs polyrank with a random limit of open files."""
    return with_files(chance.randint(fewest(), MOST), sys.executable, "-m", "polyrank", *arguments)


@pytest.mark.faults(fault="few open files: a training", promise="a whole run, or one line and no run", rounds=8)
def test_training_with_few_open_files(chance: random.Random, strikes: Callable[[bool], None], tmp_path: Path) -> None:
    line = refused(limited(chance, *TRAIN, "run"), filled(tmp_path))
    strikes(line is not None)
    assert_no_leftovers(tmp_path)
    assert (tmp_path / "run").exists() == (line is None)
    assert line is not None or len(weights(tmp_path / "run")) > 0


@pytest.mark.faults(fault="few open files: a publish", promise="a whole version, or one line and none", rounds=8)
def test_publish_with_few_open_files(
    chance: random.Random, strikes: Callable[[bool], None], toy_bundle: Path, tmp_path: Path
) -> None:
    line = refused(limited(chance, "publish", str(toy_bundle), "models"), tmp_path)
    strikes(line is not None)
    assert_no_leftovers(tmp_path)
    assert versions(tmp_path / "models") == (["1"] if line is None else [])
    assert_whole(tmp_path / "models", Bundle.load(toy_bundle))


@pytest.mark.faults(fault="few open files: a scoring", promise="all scores, or one line; it resumes", rounds=8)
def test_scoring_with_few_open_files(
    chance: random.Random, strikes: Callable[[bool], None], toy_bundle: Path, served: Path, tmp_path: Path
) -> None:
    words = ["score", str(toy_bundle), str(served / "rows.parquet"), "--out", "scored.parquet"]
    line = refused(limited(chance, *words), tmp_path)
    strikes(line is not None)
    if line is not None:
        assert not (tmp_path / "scored.parquet").exists()
        again = ["--resume"] if any(tmp_path.iterdir()) else []
        assert refused([sys.executable, "-m", "polyrank", *words, *again], tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["scored.parquet"]
    assert pq.read_metadata(tmp_path / "scored.parquet").num_rows == 300
