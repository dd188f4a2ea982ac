"""A search that is killed keeps its trials, and goes on with those that it would have had."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

TRIALS = 5
CONFIG = """
epochs = 3
batch_size = 64
model = { hidden_dims = [8], tower_dims = [] }
validation = { resamples = 0 }
"""


def start(place: Path, out: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "polyrank", "--quiet", "tune", "logs.parquet", "--schema", "schema.toml"]
    options = ["--config", "train.toml", "--metric", "click.auc", "--trials", str(TRIALS), "--out", out]
    return subprocess.Popen([*command, *options], cwd=place, env={**os.environ, "OMP_NUM_THREADS": "1"})


def trials(folder: Path) -> list[dict[str, str]]:
    if not (folder / "trials.csv").exists():
        return []
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def finished(folder: Path) -> list[tuple[str, ...]]:
    """Return what was tried and what came out, without what differs from run to run: number and time."""
    ignored = ("number", "seconds")
    ended = [row for row in trials(folder) if row["state"] not in ("interrupted", "running")]
    return [tuple(value for name, value in row.items() if name not in ignored) for row in ended]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_interrupted_search_goes_on_as_if_it_were_not(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    (tmp_path / "train.toml").write_text(CONFIG)
    pq.write_table(toy_table(2_000), tmp_path / "logs.parquet")
    with start(tmp_path, "killed") as process:
        deadline = time.monotonic() + 120.0
        while len(finished(tmp_path / "killed")) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.05)
        process.send_signal(number)
    kept = finished(tmp_path / "killed")
    assert 2 <= len(kept) < TRIALS
    for out in ("killed", "whole"):
        with start(tmp_path, out) as process:
            assert process.wait(timeout=240) == 0
    assert finished(tmp_path / "killed")[: len(kept)] == kept
    assert finished(tmp_path / "killed") == finished(tmp_path / "whole")
    assert (tmp_path / "killed" / "best.toml").read_text() == (tmp_path / "whole" / "best.toml").read_text()
