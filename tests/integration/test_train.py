"""The same data, configuration and seed give the same weights in every process; real logs are learned."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.models import TrainedRanker
from polyrank.train import TrainConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "kuairand"
TRAIN = [sys.executable, "-m", "polyrank", "train", "logs.parquet", "--schema", str(EXAMPLE / "schema.toml")]
FILES = [
    "config.toml",
    "metrics.json",
    "sample.safetensors",
    "schema.toml",
    "trained_rows.safetensors",
    "weights.safetensors",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, kuairand_slice: pa.Table) -> Path:
    """Train three times, each in a process of its own: twice with one seed, once with another."""
    folder = tmp_path_factory.mktemp("runs")
    pq.write_table(kuairand_slice, folder / "logs.parquet")
    text = (EXAMPLE / "train.toml").read_text().replace("hours = 24.0", "share = 0.2")
    (folder / "one.toml").write_text("seed = 1\n" + text)
    (folder / "two.toml").write_text("seed = 2\n" + text)
    processes = [
        subprocess.Popen(
            [*TRAIN, "--out", out, "--config", config],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": salt},
        )
        for out, config, salt in (("a", "one.toml", "1"), ("b", "one.toml", "2"), ("c", "two.toml", "3"))
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    return folder


@pytest.mark.parametrize("name", FILES)
def test_same_seed_gives_the_same_bytes(runs: Path, name: str) -> None:
    assert (runs / "a" / name).read_bytes() == (runs / "b" / name).read_bytes()


def test_other_seed_gives_other_weights(runs: Path) -> None:
    weights = [(runs / name / "weights.safetensors").read_bytes() for name in ("a", "c")]
    assert weights[0] != weights[1]
    assert TrainedRanker.load(runs / "a").run_id != TrainedRanker.load(runs / "c").run_id


def test_schema_differs_by_seed_in_nothing(runs: Path) -> None:
    assert (runs / "a" / "schema.toml").read_bytes() == (runs / "c" / "schema.toml").read_bytes()


def test_resolved_config_holds_every_default(runs: Path) -> None:
    stored = msgspec.toml.decode((runs / "a" / "config.toml").read_bytes())
    assert _keys(stored) == _keys(msgspec.to_builtins(TrainConfig.load(runs / "a" / "config.toml")))


def _keys(config: dict[str, Any]) -> dict[str, Any]:
    """Give values, and of sections the names of those that are not None, which TOML does not have."""
    return {
        key: {name for name, each in value.items() if each is not None} if isinstance(value, dict) else value
        for key, value in config.items()
        if value is not None
    }


def test_real_clicks_are_learned(runs: Path) -> None:
    metrics = msgspec.json.decode((runs / "a" / "metrics.json").read_bytes())["validation"]
    assert metrics["click"]["auc"] > 0.6
    assert metrics["long_view"]["auc"] > 0.6
