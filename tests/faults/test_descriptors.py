"""Processes that may open few files: the limit is random, from too few to enough."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts.killed_repositories import assert_no_leftovers, assert_whole, versions
from artefacts.refused import refused
from artefacts.trainings import TRAIN, filled, weights

from polyrank.export import Bundle

FEWEST, MOST = 4, 14
"""Below four Python does not start; with fourteen all of these are done."""


def limited(chance: random.Random, *arguments: str) -> list[str]:
    """Return a command that runs polyrank with a random limit of open files."""
    command = [sys.executable, "-m", "polyrank", *arguments]
    return ["sh", "-c", f'ulimit -n {chance.randint(FEWEST, MOST)}; exec "$@"', "sh", *command]


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


@pytest.mark.faults(fault="few open files: a scoring", promise="all scores, or one line and no file", rounds=8)
def test_scoring_with_few_open_files(
    chance: random.Random, strikes: Callable[[bool], None], toy_bundle: Path, served: Path, tmp_path: Path
) -> None:
    words = ["score", str(toy_bundle), str(served / "rows.parquet"), "--out", "scored.parquet"]
    line = refused(limited(chance, *words), tmp_path)
    strikes(line is not None)
    assert [path.name for path in tmp_path.iterdir()] == ([] if line else ["scored.parquet"])
    assert line is not None or pq.read_metadata(tmp_path / "scored.parquet").num_rows == 300
