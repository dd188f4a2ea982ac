"""The benchmarks of docs/benchmarks.md: that they run and say every row, and that the floor reads what it claims."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def yardsticks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    module: ModuleType = importlib.import_module("hashing.yardsticks").load_yardsticks()
    return module


def folded(key: bytes) -> int:
    """XOR the 16-byte blocks of a key and what follows it, then both halves."""
    words = np.frombuffer(key, np.uint64)
    return int(np.bitwise_xor.reduce(words))


@pytest.mark.native
@pytest.mark.parametrize("lengths", [[6, 12, 9, 7, 8, 10, 11, 6, 12], [16, 17, 64, 33, 1, 0, 16, 15, 48]])
@pytest.mark.slow
def test_floor_reads_every_byte(yardsticks: ModuleType, lengths: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    data = np.random.default_rng(0).integers(0, 256, int(offsets[-1]) + 16, np.uint8)
    out = np.empty(len(lengths), np.int64)
    yardsticks.hash_free(offsets, data, out)
    blocks = [max(1, -(-length // 16)) for length in lengths]
    starts = offsets[:-1].tolist()
    expected = [folded(data[start : start + 16 * count].tobytes()) for start, count in zip(starts, blocks, strict=True)]
    assert out.view(np.uint64).tolist() == expected


@pytest.mark.native
@pytest.mark.parametrize(("script", "count"), [("fingerprint.py", 23), ("encoding.py", 6), ("embedding_rows.py", 45)])
def test_quick_run_says_every_row(script: str, count: int, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command: list[str | Path] = [sys.executable, BENCHMARKS / script, "--quick", "--json", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())["rows"]
    assert len(rows) == count
    assert all(row["workload"] in done.stdout and row["outcome"] in done.stdout for row in rows)


def test_cost_of_metrics_is_told() -> None:
    command: list[str | Path] = [sys.executable, BENCHMARKS / "metrics.py", "--rows", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [what.split(":")[0] for what, _ in rows[2:]] == [
        "two binary tasks, all metrics",
        "a binary task and a regression under `log1p`",
        *["200 resamples of a binary task"] * 2,
        *["200 resamples of a regression task"] * 2,
    ]
    assert all(float(seconds) >= 0 for _, seconds in rows[2:4])
