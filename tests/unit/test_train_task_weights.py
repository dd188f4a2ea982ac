"""Weights of tasks and the seed of the split, as a configuration gives them."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from toy import toy_table

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.train import ModelConfig, TrainConfig, ValidationConfig, fit
from polyrank.train.preparing import prepare
from polyrank.train.task_weights import weighted

SMALL = TrainConfig(
    batch_size=64, model=ModelConfig(hidden_dims=(8,), tower_dims=()), validation=ValidationConfig(resamples=0)
)


def test_named_weights_take_the_place_of_the_schemas(toy_schema: Schema) -> None:
    found = weighted(toy_schema, {"like": 3.0, "rating": 0.25})
    assert [task.weight for task in found.tasks] == [1.0, 3.0, 0.25, 1.0]


def test_run_of_weights_is_that_of_a_schema_with_them(toy_schema: Schema, tmp_path: Path) -> None:
    config = msgspec.structs.replace(SMALL, task_weights={"like": 3.0})
    runs = [
        fit(toy_schema, toy_table(200), out=tmp_path / "a", config=config, progress=False),
        fit(weighted(toy_schema, {"like": 3.0}), toy_table(200), out=tmp_path / "b", config=SMALL, progress=False),
    ]
    assert len({(run.path / "schema.toml").read_text() for run in runs}) == 1
    assert len({(run.path / "weights.safetensors").read_bytes() for run in runs}) == 1


def test_weight_of_an_unknown_task_is_refused(toy_schema: Schema, tmp_path: Path) -> None:
    config = msgspec.structs.replace(SMALL, task_weights={"liek": 3.0})
    with pytest.raises(
        ConfigError, match=r"\$.task_weights.liek is no task of the schema; did you mean 'like'\?; there"
    ):
        fit(toy_schema, toy_table(200), out=tmp_path / "run", config=config, progress=False)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match=r"\$.task_weights.like must be above 0( and finite)?, got "):
        TrainConfig(task_weights={"like": weight})


def test_seed_of_the_split_decides_it_alone(toy_schema: Schema) -> None:
    splits = [
        prepare(toy_schema, toy_table(300), TrainConfig(seed=seed, validation=ValidationConfig(split="random", seed=7)))
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(splits[0].validation.rows, splits[1].validation.rows)


def test_split_follows_the_seed_of_the_training_otherwise(toy_schema: Schema) -> None:
    config = ValidationConfig(split="random")
    splits = [prepare(toy_schema, toy_table(300), TrainConfig(seed=seed, validation=config)) for seed in (0, 1)]
    assert not np.array_equal(splits[0].validation.rows, splits[1].validation.rows)


def test_seed_of_the_split_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\$.validation.seed must be in \[0, 2\*\*63\), got -1"):
        ValidationConfig(seed=-1)


def test_selection_of_a_task_has_its_labels_alone(toy_schema: Schema) -> None:
    rows = prepare(toy_schema, toy_table(100), TrainConfig()).train
    np.testing.assert_array_equal(rows.of_task(2).read().labels, rows.read().labels[:, 2:3])
    np.testing.assert_array_equal(rows.of_task(2).read().ids, rows.read().ids)
