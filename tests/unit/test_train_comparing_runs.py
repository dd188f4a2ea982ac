"""Comparing runs by what they wrote, and what of them is refused."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from toy import toy_table

from polyrank.errors import ConfigError, DataError, SchemaError
from polyrank.models import ModelConfig
from polyrank.schema import Schema
from polyrank.train import TrainConfig, ValidationConfig, fit
from polyrank.train.comparing import Comparison, ComparisonConfig, compare, compare_runs
from polyrank.train.threads import torch_threads
from polyrank.train.validation import AnsweredRows, answer_rows

SMALL = ModelConfig(hidden_dims=(8,), tower_dims=(4,), num_experts=2, num_task_experts=1)
CONFIG = TrainConfig(batch_size=256, model=SMALL, validation=ValidationConfig(resamples=20), task_weights={"like": 2.0})
TWO = ComparisonConfig(architectures=("shared_bottom", "mmoe"), seeds=2)


@pytest.fixture(scope="module")
def schema(toy_schema: Schema) -> Schema:
    return msgspec.structs.replace(toy_schema, tasks=toy_schema.tasks[:2])


@pytest.fixture(scope="module")
def compared(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison]:
    out = tmp_path_factory.mktemp("compared")
    return out, compare(schema, toy_table(1000), out=out, config=CONFIG, comparison=TWO)


def run_folders(compared: tuple[Path, Comparison]) -> tuple[Path, Path]:
    return compared[0] / "shared_bottom" / "seed-0", compared[0] / "mmoe" / "seed-0"


def test_runs_are_compared_by_what_they_wrote(compared: tuple[Path, Comparison]) -> None:
    first, second = run_folders(compared)
    found = compare_runs([first, second])
    values = [
        msgspec.json.decode((run / "metrics.json").read_bytes())["validation"]["click"]["auc"]
        for run in (first, second)
    ]
    assert (found.rows, found.changes[0].verdict) == (100, "unknown")
    assert found.changes[0].difference == pytest.approx(values[1] - values[0])


def test_runs_are_compared_on_the_rows_they_validate_on(compared: tuple[Path, Comparison], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(toy_table(1000), tmp_path / "logs.parquet")
    first, second = run_folders(compared)
    found, written = compare_runs([first, second], tmp_path / "logs.parquet"), compare_runs([first, second])
    assert found.changes[0].difference == pytest.approx(written.changes[0].difference, abs=1e-12)
    assert found.changes[0].interval == found.changes[0].rows_interval
    assert found.changes[0].interval is not None


def test_each_run_is_answered_once_on_its_own_threads(
    compared: tuple[Path, Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq
    import torch

    threads = []

    def answer(*arguments: Any) -> AnsweredRows:
        threads.append(torch.get_num_threads())
        return answer_rows(*arguments)

    pq.write_table(toy_table(1000), tmp_path / "logs.parquet")
    monkeypatch.setattr("polyrank.train.comparing.runs.answer_rows", answer)
    with torch_threads(2):
        compare_runs(run_folders(compared), tmp_path / "logs.parquet")
    assert threads == [1, 1]


def test_runs_are_compared_where_memory_is_too_small_to_train(
    compared: tuple[Path, Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    def refuse(*_: object, **__: object) -> None:
        raise SchemaError("training needs more memory")

    pq.write_table(toy_table(1000), tmp_path / "logs.parquet")
    monkeypatch.setattr("polyrank.train.preparing.require_memory", refuse)
    assert compare_runs(run_folders(compared), tmp_path / "logs.parquet").rows == 100


def test_encoded_rows_that_are_damaged_are_made_anew_to_compare(
    compared: tuple[Path, Comparison], tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    pq.write_table(toy_table(1000), tmp_path / "logs.parquet")
    before = compare_runs(run_folders(compared), tmp_path / "logs.parquet", cache=tmp_path / "cache")
    file = next((tmp_path / "cache").glob("*.arrow"))
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(b"\xff\xfe\x01")
    after = compare_runs(run_folders(compared), tmp_path / "logs.parquet", cache=tmp_path / "cache")
    assert after.changes == before.changes


def test_fewer_than_two_runs_are_refused(compared: tuple[Path, Comparison]) -> None:
    with pytest.raises(ConfigError, match="a comparison needs at least 2 runs, got 1"):
        compare_runs([run_folders(compared)[0]])


def test_run_named_twice_is_refused(compared: tuple[Path, Comparison]) -> None:
    first, _ = run_folders(compared)
    with pytest.raises(ConfigError, match="runs must be named once each, got "):
        compare_runs([first, first])


def test_runs_without_a_common_task_are_refused(compared: tuple[Path, Comparison]) -> None:
    alone = compared[0] / "one_per_task"
    with pytest.raises(DataError, match="have no task in common; compare runs of the same tasks"):
        compare_runs([alone / "click" / "seed-0", alone / "like" / "seed-0"])


def test_runs_of_other_validation_rows_are_refused(
    compared: tuple[Path, Comparison], schema: Schema, tmp_path: Path
) -> None:
    other = fit(schema, toy_table(600), out=tmp_path / "other", config=CONFIG, progress=False).path
    with pytest.raises(DataError, match=r"validated on 60 rows and .* on 100; compare runs of the same data"):
        compare_runs([run_folders(compared)[0], other])


def test_runs_of_other_splits_of_the_data_are_refused(schema: Schema, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(toy_table(300), tmp_path / "logs.parquet")
    for seed in (0, 1):
        config = msgspec.structs.replace(CONFIG, seed=seed, validation=ValidationConfig(split="random", resamples=5))
        fit(schema, tmp_path / "logs.parquet", out=tmp_path / str(seed), config=config, progress=False)
    with pytest.raises(DataError, match="validate on other rows; compare runs of the same"):
        compare_runs([tmp_path / "0", tmp_path / "1"], tmp_path / "logs.parquet")


def test_run_without_metrics_is_refused(compared: tuple[Path, Comparison], tmp_path: Path) -> None:
    first, second = run_folders(compared)
    shutil.copytree(second, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    with pytest.raises(DataError, match=r"metrics\.json cannot be read; give the data, to measure anew: --data"):
        compare_runs([first, tmp_path / "run"])
