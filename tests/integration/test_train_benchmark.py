"""The training benchmark of docs/benchmarks.md: its jobs run on little data, and trees see no label of their row."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from artefacts import invented

from polyrank.schema import Schema

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCHEMA = Schema.from_toml(
    """
name = "trees"
[[features]]
name = "shop"
kind = "categorical"
dtype = "text"
num_buckets = 10
[[features]]
name = "tags"
kind = "bag"
dtype = "text"
max_length = 2
num_buckets = 10
[[tasks]]
name = "buy"
kind = "binary"
label = "buy"
"""
)


@pytest.fixture
def target_statistics(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("training.target_statistics")


def run(*arguments: str | Path) -> str:
    command: list[str | Path] = [sys.executable, BENCHMARKS / "train.py", *arguments, "--without-peers"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_speed_is_measured_beside_the_plain_loop(tmp_path: Path) -> None:
    folder = invented.write_1m(tmp_path, invented.ratings(6_000))
    few = [
        "--rounds",
        "1",
        "--window-rows",
        "2048",
        "--architectures",
        "mmoe",
        "--batch-sizes",
        "1024",
        "--variants",
        "polyrank",
    ]
    said = run("speed", "--ml-1m", folder, *few)
    assert "mmoe, batch 1,024" in said
    assert "≥ 1.8 x the plain loop" in said


@pytest.mark.slow
def test_quality_is_measured_beside_the_plain_loop(tmp_path: Path) -> None:
    folder = invented.write_1m(tmp_path, invented.ratings(6_000))
    said = run("quality", "--ml-1m", folder, "--seeds", "1", "--epochs", "2", "--markdown")
    assert "| shared_bottom | plain PyTorch loop | 0." in said
    assert "| shared_bottom | polyrank | 0." in said


def test_trees_see_no_label_of_their_row(target_statistics: ModuleType) -> None:
    rows = pa.table({"shop": ["a", "b"] * 20, "tags": [["x"], ["x", "y"]] * 20})
    labels = np.tile([[1.0], [0.0]], (20, 1))
    is_train = np.arange(40) < 30
    flipped = labels.copy()
    flipped[0], flipped[35] = 0.0, 1.0
    before, after = (target_statistics.tree_inputs(SCHEMA, rows, own, is_train, seed=0) for own in (labels, flipped))
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[2:30], after[2:30])


def test_trees_see_smoothed_means_of_training_rows(target_statistics: ModuleType) -> None:
    rows = pa.table({"shop": ["a", "a", "b", "a", "c"], "tags": [["x"], ["y"], [], ["x", "y"], []]})
    labels = np.array([[1.0], [0.0], [1.0], [0.0], [0.0]])
    is_train = np.array([True, True, True, False, False])
    inputs = target_statistics.tree_inputs(SCHEMA, rows, labels, is_train, seed=0)
    prior = 2 / 3
    mean_a, mean_x, mean_y = (1 + 20 * prior) / 22, (1 + 20 * prior) / 21, 20 * prior / 21
    assert inputs[3] == pytest.approx([mean_a, np.log(3), (mean_x + mean_y) / 2, np.log(2)])
    assert inputs[4] == pytest.approx([prior, 0.0, np.nan, np.nan], nan_ok=True)
