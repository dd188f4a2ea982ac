"""Trainings from the command line that a test may kill, with checkpoints every few steps."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from toy import TOY_TOML, toy_table

TRAIN = ["--quiet", "train", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out"]
CONFIG = """
epochs = 3
batch_size = 128
ema_decay = 0.99

[model]
dropout = 0.1

[checkpoint]
every_steps = 3
"""
INPUTS = ["logs.parquet", "schema.toml", "train.toml"]


def filled(place: Path) -> Path:
    """Write what a training reads."""
    (place / "schema.toml").write_text(TOY_TOML)
    (place / "train.toml").write_text(CONFIG)
    pq.write_table(toy_table(8_000), place / "logs.parquet")
    return place


def start(place: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a training with these arguments, the name of the run first."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLYRANK_CACHE_DIR": str(place / "cache")}
    command = [sys.executable, "-m", "polyrank", *TRAIN, *arguments]
    return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(place: Path, *arguments: str) -> bytes:
    """Train to the end, and return the weights."""
    with start(place, *arguments) as process:
        _, complaint = process.communicate(timeout=120)
    assert (process.returncode, complaint) == (0, b"")
    return weights(place / arguments[0])


def weights(run: Path) -> bytes:
    """Return the weights of a run."""
    return (run / "weights.safetensors").read_bytes()


def wait_for(path: Path) -> None:
    """Return when the path is there."""
    deadline = time.monotonic() + 60.0
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
