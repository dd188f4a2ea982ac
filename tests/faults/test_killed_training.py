"""A training killed at random moments ends as one that nothing interrupts."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from artefacts.trainings import INPUTS, filled, finish, start, weights


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, float]:
    """Give the weights of a training that nothing interrupts, and the seconds that it takes."""
    place = filled(tmp_path_factory.mktemp("whole"))
    began = time.monotonic()
    return finish(place, "run"), time.monotonic() - began


@pytest.mark.faults(
    fault="SIGKILL of a training", promise="resumed, its weights are bit for bit those of one never killed", rounds=25
)
def test_killed_training_resumes_to_the_same_weights(
    chance: random.Random, strikes: Callable[[bool], None], unkilled: tuple[bytes, float], tmp_path: Path
) -> None:
    expected, seconds = unkilled
    with start(filled(tmp_path), "run") as process:
        # Most of the time goes to imports, so most kills come late.
        time.sleep(chance.triangular(0.0, seconds, seconds))
        process.kill()
    assert process.returncode in (0, -signal.SIGKILL)
    strikes(process.returncode != 0)
    if not (tmp_path / "run").exists():
        finish(tmp_path, "run", "--resume")
    assert weights(tmp_path / "run") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["cache", "run", *INPUTS])
