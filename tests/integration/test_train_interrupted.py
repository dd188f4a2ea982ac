"""Whatever ends a training early, no directory is left that a later step takes for a finished run."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts.small_disks import remount
from toy import TOY_TOML, toy_table

from polyrank.errors import DataError, OutputError
from polyrank.models import TrainedRanker
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.training import Training

TRAIN = ["train", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "run"]
INPUTS = ["logs.parquet", "schema.toml", "train.toml"]
QUICK, ENDLESS = "batch_size = 256\n", "epochs = 100_000\nbatch_size = 256\n"

# Runs the command line, and kills its own process before or after one function of it.
KILLED = """
import importlib, os, signal, sys
from polyrank.__main__ import main

when, module, name, *arguments = sys.argv[1:]
*path, last = name.split(".")
owner = importlib.import_module(module)
for part in path:
    owner = getattr(owner, part)
original = getattr(owner, last)

def dying(*args, **kwargs):
    if when == "after":
        original(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, last, dying)
main(arguments)
"""
POINTS = {
    "stage just made": ("before", "polyrank.train.run", "prepare"),
    "rows encoded": ("before", "polyrank.train.run", "_train"),
    "first epoch done": ("before", "polyrank.train.training", "validate"),
    "trained, nothing written": ("before", "polyrank.train.run_files", "TrainedRanker.save"),
    "schema written": ("before", "polyrank.models.trained", "save_file"),
    "weights written": ("after", "polyrank.models.trained", "save_file"),
    "all but metrics written": ("after", "polyrank.train.run_files", "TrainedRanker.save"),
    "all written": ("before", "polyrank.staging", "flush_tree"),
    "all flushed": ("after", "polyrank.staging", "flush_tree"),
}
IN_EVERY_RUN = {"first epoch done", "weights written", "all written"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    (tmp_path / "train.toml").write_text(QUICK)
    pq.write_table(toy_table(2_000), tmp_path / "logs.parquet")
    return tmp_path


def start(place: Path, *, quiet: bool = True) -> "subprocess.Popen[str]":
    command = ["env", "--default-signal=HUP", sys.executable, "-m", "polyrank", *(["--quiet"] if quiet else []), *TRAIN]
    # One thread each, so that trainings side by side do not wait for one another's threads.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def partials(place: Path) -> list[Path]:
    return sorted(place.glob(".run.*.partial"))


def wait_for_stages(place: Path, count: int) -> None:
    deadline = time.monotonic() + 60.0
    while len(partials(place)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def assert_only_a_partial_is_left_and_swept(place: Path) -> None:
    assert not (place / "run").exists()
    (partial,) = partials(place)
    with pytest.raises(DataError, match=r"\.partial is what an interrupted training left; train it anew"):
        TrainedRanker.load(partial)
    run = fit(Schema.from_toml(TOY_TOML), place / "logs.parquet", out=place / "run", progress=False)
    assert TrainedRanker.load(place / "run").run_id == run.run_id
    assert sorted(path.name for path in place.iterdir()) == sorted([*INPUTS, "run"])


@pytest.mark.parametrize(
    "point",
    [pytest.param(POINTS[name], id=name, marks=() if name in IN_EVERY_RUN else pytest.mark.slow) for name in POINTS],
)
def test_killed_training_leaves_no_run(place: Path, point: tuple[str, str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, *point, *TRAIN], cwd=place, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert_only_a_partial_is_left_and_swept(place)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_training_killed_at_any_moment_leaves_no_run(place: Path, seed: int) -> None:
    (place / "train.toml").write_text(ENDLESS)
    with start(place) as process:
        wait_for_stages(place, 1)
        time.sleep(random.Random(seed).uniform(0.0, 0.8))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_only_a_partial_is_left_and_swept(place)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "interrupted"),
        pytest.param(signal.SIGTERM, "stopped by SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, "stopped by SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_interrupted_training_leaves_nothing(place: Path, number: signal.Signals, line: str) -> None:
    (place / "train.toml").write_text(ENDLESS)
    with start(place) as process:
        wait_for_stages(place, 1)
        time.sleep(0.3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", f"polyrank: {line}\n")
    assert sorted(path.name for path in place.iterdir()) == INPUTS


def test_of_two_trainings_at_once_one_wins(place: Path) -> None:
    (place / "train.toml").write_text("epochs = 10\nbatch_size = 128\n")
    processes = [start(place), start(place)]
    outcomes = sorted((process.wait(timeout=120), *process.communicate()) for process in processes)
    (won, _, _), (lost, said, complaint) = outcomes
    assert (won, lost, said) == (0, 1, "")
    assert complaint == "polyrank: another process is writing run; wait for it, or choose another output directory\n"
    assert len(TrainedRanker.load(place / "run").sample) == 200
    assert sorted(path.name for path in place.iterdir()) == sorted([*INPUTS, "run"])


@pytest.mark.parametrize("small_disk", ["4k", "32k", "96k", "144k"], indirect=True)
def test_full_disk_is_one_line_and_leaves_nothing(small_disk: Path, toy_schema: Schema) -> None:
    message = r"^cannot write .*/disk/run: (no space left on device|the weights take .* MiB, and .* are free); choose"
    with pytest.raises(OutputError, match=message) as caught:
        fit(toy_schema, toy_table(2_000), out=small_disk / "run", progress=False)
    assert len(str(caught.value).splitlines()) == 1
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("small_disk", ["96k"], indirect=True)
def test_disk_too_small_for_the_weights_is_refused_before_training(
    small_disk: Path, toy_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "run", lambda *_args, **_options: pytest.fail("it trained"))
    with pytest.raises(
        OutputError, match=r"^cannot write .*/disk/run: the weights take 0\.1 MiB, and 0\.1 MiB are free"
    ):
        fit(toy_schema, toy_table(2_000), out=small_disk / "run", progress=False)


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
def test_read_only_disk_is_one_line(small_disk: Path, toy_schema: Schema) -> None:
    remount(small_disk, "ro")
    with pytest.raises(OutputError, match=r"^cannot write .*/disk/run: read-only file system; choose another"):
        fit(toy_schema, toy_table(200), out=small_disk / "run", progress=False)


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
def test_disk_with_room_enough_takes_the_run(small_disk: Path, toy_schema: Schema) -> None:
    run = fit(toy_schema, toy_table(200), out=small_disk / "run", config=TrainConfig(batch_size=64), progress=False)
    assert TrainedRanker.load(small_disk / "run").run_id == run.run_id


def test_progress_goes_to_standard_error_only(place: Path) -> None:
    with start(place, quiet=False) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "epoch 1 of at most 5: click auc" in err
    assert "epoch" not in out
    assert re.search(r"^run [0-9a-f]{12} in run$", out, flags=re.MULTILINE)
