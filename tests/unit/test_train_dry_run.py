import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.train import ModelConfig, OptimizerConfig, TrainConfig, dry_run


def test_rows_steps_and_parameters_are_counted(toy_schema: Schema) -> None:
    plan = dry_run(toy_schema, toy_table(2_000), config=TrainConfig(batch_size=100))
    assert (plan.train_rows, plan.validation_rows, plan.steps_per_epoch) == (1800, 200, 18)
    assert plan.table_parameters == {"user_id": 501 * 8, "item_id": 301 * 8, "tags": 41 * 4, "device": 11 * 4}


def test_optimizer_state_of_adam_is_twice_the_weights(toy_schema: Schema) -> None:
    config = TrainConfig(batch_size=100, optimizer=OptimizerConfig(embedding="sparse_adam"), ema_decay=0.9)
    memory = dry_run(toy_schema, toy_table(2_000), config=config).memory_mb
    assert memory["optimizer"] == pytest.approx(2 * memory["weights"], rel=0.05)
    assert memory["averages"] > memory["weights"] * 0.95


@pytest.mark.parametrize(("epochs", "copies"), [("auto", 1), (3, 0)])
def test_copy_of_the_best_weights_is_counted(epochs: Any, copies: int, toy_schema: Schema) -> None:
    memory = dry_run(toy_schema, toy_table(500), config=TrainConfig(batch_size=100, epochs=epochs)).memory_mb
    assert memory["best_weights"] == copies * memory["weights"]


def test_tables_of_several_inputs_add_up(toy_schema: Schema) -> None:
    config = TrainConfig(batch_size=100, model=ModelConfig(architecture="single_task"))
    plan = dry_run(toy_schema, toy_table(500), config=config)
    assert plan.table_parameters["device"] == 4 * 11 * 4


def test_time_of_too_few_steps_is_unknown(toy_schema: Schema) -> None:
    assert dry_run(toy_schema, toy_table(200), config=TrainConfig(batch_size=100)).epoch_s is None


def test_time_of_an_epoch_is_estimated(toy_schema: Schema) -> None:
    epoch_s = dry_run(toy_schema, toy_table(2_000), config=TrainConfig(batch_size=100)).epoch_s
    assert epoch_s is not None
    assert 0 < epoch_s < 60


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    pq.write_table(toy_table(500), tmp_path / "logs.parquet")
    return ["train", str(tmp_path / "logs.parquet"), "--schema", str(tmp_path / "schema.toml")]


def test_command_prints_a_plan(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "450 to train on, 50 to validate on" in out
    assert "user_id 4,008" in out
    assert ", best weights 0.1, rows " in out


def test_command_prints_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["train_rows"] == 450


def test_missing_out_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert "--out is missing; name the run directory to make" in capsys.readouterr().err


def test_json_of_a_training_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--out", "run", "--json"]) == 1
    assert "--json goes with --dry-run" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--resume"], ["--from", "older"], ["--tensorboard", "events"]])
def test_options_of_a_training_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert main([*arguments, "--dry-run", *option]) == 1
    assert f"{option[0]} does not go with --dry-run, which trains nothing" in capsys.readouterr().err


def test_weight_of_an_unknown_task_is_refused(toy_schema: Schema) -> None:
    with pytest.raises(ConfigError, match="clik"):
        dry_run(toy_schema, toy_table(200), config=TrainConfig(task_weights={"clik": 2.0}))
