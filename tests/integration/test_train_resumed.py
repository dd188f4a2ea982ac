"""A training killed at any moment goes on to the run that it would have been."""

import random
import signal
import time
from pathlib import Path

import pytest
from artefacts.trainings import CONFIG, INPUTS, filled, finish, start, wait_for
from toy import TOY_TOML, toy_table

from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.checkpoints import checkpoint_path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return filled(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the weights of a training that nothing interrupts."""
    return finish(filled(tmp_path_factory.mktemp("whole")), "run")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_training_killed_at_any_moment_goes_on_to_the_same_weights(place: Path, whole: bytes, seed: int) -> None:
    with start(place, "run") as process:
        wait_for(checkpoint_path(place / "run"))
        time.sleep(random.Random(seed).uniform(0.0, 0.4))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert finish(place, "run", "--resume") == whole
    left = sorted(path.name for path in place.iterdir())
    assert left == sorted(["cache", "run", *INPUTS])


def test_interrupted_training_is_refused_until_it_is_resumed(place: Path) -> None:
    with start(place, "run") as process:
        wait_for(checkpoint_path(place / "run"))
        process.kill()
    with start(place, "run") as process:
        _, complaint = process.communicate(timeout=120)
    assert process.returncode == 1
    assert complaint.startswith(b"polyrank: run.checkpoint is what an interrupted training left; go on from it with")


@pytest.mark.parametrize("small_disk", ["600k"], indirect=True)
def test_full_disk_ends_no_training(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A run of this takes 150 kB and a checkpoint 440 kB: half as much as lies between them stays free.
    (small_disk / "ballast").write_bytes(bytes(310 * 2**10))
    config = TrainConfig.load(_config(small_disk.parent / "train.toml"))
    schema = Schema.from_toml(TOY_TOML)
    fit(schema, toy_table(500), out=small_disk / "run", config=config, progress=False)
    assert "no checkpoint, and training goes on: cannot write" in caplog.text
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "run"]


def _config(path: Path) -> Path:
    path.write_text(CONFIG)
    return path
