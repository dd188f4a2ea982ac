"""What training refuses or warns of."""

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, ToyRows

from polyrank.errors import ConfigError, DataError, OutputError, SchemaError
from polyrank.schema import Schema
from polyrank.train import (
    CheckpointConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    TrainConfig,
    fit,
)
from polyrank.train.loop import Trainer
from polyrank.train.preparing import prepare

SMALL = TrainConfig(batch_size=64)


def replaced(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_undefined_metric_is_null_and_warned_of(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = replaced(toy_rows(100), "is_click", [0, 1] * 45 + [1] * 10)
    run = fit(toy_schema, table, out=tmp_path / "run", config=SMALL, progress=False)
    assert math.isnan(run.metrics["click"]["auc"])
    assert json.loads((run.path / "metrics.json").read_text())["validation"]["click"]["auc"] is None
    reason = "its observed labels are of one class"
    assert f"task 'click' has no validation auc, normalized_entropy: {reason}" in caplog.messages
    assert json.loads((run.path / "metrics.json").read_text())["undefined"]["click"]["auc"] == reason


def test_task_without_observed_label_is_refused(toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = replaced(toy_rows(100), "rating", [None] * 90 + [1.0] * 10)
    with pytest.raises(
        DataError, match=r"^label column 'rating' has no observed value to train on \(task 'rating'\); leave the task"
    ):
        prepare(toy_schema, table, TrainConfig())


def test_file_is_named_before_its_column(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    pq.write_table(replaced(toy_rows(100), "user_id", [46.5] * 100), tmp_path / "logs.parquet")
    message = r"^/.*/logs\.parquet: column 'user_id' holds 46\.5 at row 1; whole numbers expected"
    with pytest.raises(DataError, match=message):
        prepare(toy_schema, tmp_path / "logs.parquet", TrainConfig())


def test_empty_file_is_named(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    pq.write_table(toy_rows(100)[:0], tmp_path / "logs.parquet")
    with pytest.raises(DataError, match=r"^/.*/logs\.parquet holds no row$"):
        prepare(toy_schema, tmp_path / "logs.parquet", TrainConfig())


def test_missing_label_column_is_named(toy_schema: Schema, toy_rows: ToyRows) -> None:
    with pytest.raises(DataError, match=r"^column 'is_like' is missing"):
        prepare(toy_schema, toy_rows(100).drop_columns(["is_like"]), TrainConfig())


def test_answers_that_are_not_finite_stop_training(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    config = TrainConfig(optimizer=OptimizerConfig(lr=1e30))
    with pytest.raises(DataError, match=r"^training diverged: the answers of task 'click' are not finite in epoch 1; "):
        fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_existing_run_is_refused_before_any_work(toy_schema: Schema, toy_run: Path) -> None:
    with pytest.raises(OutputError, match="run already exists; choose another output directory or remove it"):
        fit(toy_schema, "absent.parquet", out=toy_run)


def test_tables_beyond_memory_leave_nothing(toy_rows: ToyRows, tmp_path: Path) -> None:
    text = TOY_TOML.replace("num_buckets = 500\nembedding_dim = 8", "num_buckets = 2147483647\nembedding_dim = 4096")
    with pytest.raises(
        SchemaError, match=r"^training needs 65,544\.0 GiB for embedding tables, and .*: 'user_id' 65,544"
    ):
        fit(Schema.from_toml(text), toy_rows(100), out=tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_few_steps_are_warned_of(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit(toy_schema, toy_rows(200, 1), out=tmp_path / "run", progress=False)
    assert caplog.messages[0].startswith("only 5 gradient step(s) at most for 180 rows")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schema": "schema.toml"}, r"^schema must be a Schema, such as Schema.load\(path\), got 'schema.toml'$"),
        ({"config": {"epochs": 1}}, r"^config must be a TrainConfig, such as TrainConfig.load\(path\), got dict$"),
        ({"config": {}}, r"^config must be a TrainConfig, such as TrainConfig.load\(path\), got dict$"),
    ],
)
def test_arguments_of_wrong_types_are_refused(
    arguments: dict[str, Any], message: str, toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(**({"schema": toy_schema, "data": toy_rows(50), "out": tmp_path / "run"} | arguments))


def test_unknown_metric_is_refused_before_rows_are_read(toy_schema: Schema, tmp_path: Path) -> None:
    config = TrainConfig(early_stopping=EarlyStoppingConfig(metric="click.acu"))
    with pytest.raises(ConfigError, match=r"^\$\.early_stopping\.metric: metric 'click\.acu' is none of this schema"):
        fit(toy_schema, tmp_path / "none.parquet", out=tmp_path / "run", config=config)


def test_warm_up_beyond_the_training_is_warned_of(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainConfig(epochs=1, batch_size=90, optimizer=OptimizerConfig(warmup_steps=3))
    fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    message = "$.optimizer.warmup_steps = 3, and there are 2 steps: learning rates stay below their own; lower it"
    assert message in caplog.messages


def test_stopped_training_says_how_to_go_on(
    toy_schema: Schema,
    toy_rows: ToyRows,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = iter(range(3))
    step = Trainer.step

    def stopped(trainer: Trainer, batch: Any) -> Any:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(trainer, batch)

    monkeypatch.setattr(Trainer, "step", stopped)
    config = TrainConfig(batch_size=32, checkpoint=CheckpointConfig(every_steps=2))
    with pytest.raises(KeyboardInterrupt):
        fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    expected = f"{tmp_path / 'run.checkpoint'} holds what was trained; go on from it with --resume"
    assert caplog.messages[-1] == expected
