"""A training from rows to a run: what is written, learned and told."""

import json
import logging
import math
import re
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import load_file
from toy import ToyRows

from polyrank.features import CategoricalFeature, NumericFeature
from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import (
    Run,
    TrainConfig,
    ValidationConfig,
    fit,
)
from polyrank.train.preparing import prepare
from polyrank.train.validation import describe

CLICK = BinaryTask(name="click", label="is_click")
SMALL = TrainConfig(batch_size=64)


def replaced(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_run_directory_holds_what_later_steps_read(toy_run: Path) -> None:
    assert sorted(path.name for path in toy_run.iterdir()) == [
        "config.toml",
        "metrics.json",
        "sample.safetensors",
        "schema.toml",
        "times.json",
        "trained_rows.safetensors",
        "weights.safetensors",
    ]


def test_no_file_of_a_run_is_a_pickle(toy_run: Path) -> None:
    load_file(toy_run / "weights.safetensors")
    load_file(toy_run / "sample.safetensors")
    json.loads((toy_run / "metrics.json").read_text())
    msgspec.toml.decode((toy_run / "config.toml").read_text())
    heads = [path.read_bytes()[:2] for path in toy_run.iterdir()]
    assert b"\x80\x04" not in heads
    assert b"PK" not in heads


def test_schema_of_a_run_carries_fitted_statistics(toy_run: Path) -> None:
    numeric = Schema.load(toy_run / "schema.toml").numeric_features
    assert all(feature.mean is not None and feature.std is not None for feature in numeric)


def test_config_of_a_run_is_the_resolved_one(toy_run: Path) -> None:
    assert TrainConfig.load(toy_run / "config.toml") == TrainConfig(batch_size=128, epochs=2)


def test_metrics_file_says_rows_and_history(toy_run: Path) -> None:
    report = json.loads((toy_run / "metrics.json").read_text())
    assert report["run_id"] == TrainedRanker.load(toy_run).run_id
    assert (report["train_rows"], report["validation_rows"]) == (1800, 200)
    assert re.fullmatch("[0-9a-f]{16}", report["data_digest"])
    assert [epoch["epoch"] for epoch in report["history"]] == [1, 2]
    assert report["history"][-1]["validation"] == report["validation"]


def test_metrics_file_says_what_metrics_rest_on(toy_run: Path) -> None:
    report = json.loads((toy_run / "metrics.json").read_text())
    assert report["counts"]["click"] == {"rows": 200}
    assert list(report["intervals"]["watch_s"]) == ["rmse", "rmsle"]
    low, high = report["intervals"]["click"]["auc"]
    assert low < report["validation"]["click"]["auc"] < high


def test_run_says_path_id_and_metrics(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    run = fit(toy_schema, toy_rows(300), out=str(tmp_path / "run"), config=SMALL, progress=False)
    assert run.path == tmp_path / "run"
    assert run.run_id == TrainedRanker.load(run.path).run_id
    assert run.metrics == json.loads((run.path / "metrics.json").read_text())["validation"]


def test_stored_model_answers_like_the_trained_one(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    run = fit(toy_schema, toy_rows(300), out=tmp_path / "run", config=SMALL, progress=False)
    loaded = TrainedRanker.load(run.path)
    validation = prepare(toy_schema, toy_rows(300), SMALL).validation.read()
    assert_array_equal(loaded.sample.ids, validation.ids)
    answers = predict(loaded.model, validation.batch)["rating"].astype(np.float64)
    labels = validation.labels[:, 2].astype(np.float64)
    assert run.metrics["rating"]["rmse"] == pytest.approx(math.sqrt(np.nanmean((answers - labels) ** 2)), rel=1e-6)


def test_click_is_learned(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    run = fit(toy_schema, toy_rows(4000), out=tmp_path / "run", config=TrainConfig(epochs=4, batch_size=64))
    assert run.metrics["click"]["auc"] > 0.7


def test_weights_follow_the_seed(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    first, second, other = (
        fit(
            toy_schema, toy_rows(300), out=tmp_path / name, config=TrainConfig(batch_size=64, seed=seed), progress=False
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    weights = [(run.path / "weights.safetensors").read_bytes() for run in (first, second, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_initial_weights_follow_the_seed(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    initial: list[torch.Tensor] = []

    def stop(model: MultiTaskRanker, *_: object, **__: object) -> None:
        initial.append(model.state_dict()["inputs.0.embeddings.tables.dim_8.weight"].clone())
        raise KeyboardInterrupt

    monkeypatch.setattr("polyrank.train.starting.Training", stop)
    for seed in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            fit(toy_schema, toy_rows(100), out=tmp_path / "run", config=TrainConfig(seed=seed), progress=False)
    assert torch.equal(initial[0], initial[1])
    assert not torch.equal(initial[0], initial[2])


def test_generator_of_the_caller_is_left_alone(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=SMALL, progress=False)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("form", ["parquet", "directory", "pandas", "dicts", "stream"])
def test_every_source_of_rows_gives_one_run(form: str, toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    table = toy_rows(200)
    (tmp_path / "logs").mkdir()
    pq.write_table(table, tmp_path / "logs.parquet")
    pq.write_table(table[:120], tmp_path / "logs" / "part-0.parquet")
    pq.write_table(table[120:], tmp_path / "logs" / "part-1.parquet")
    sources = {
        "parquet": tmp_path / "logs.parquet",
        "directory": str(tmp_path / "logs"),
        "pandas": table.to_pandas(),
        "dicts": table.to_pylist(),
        "stream": table.to_reader(),
    }
    expected = fit(toy_schema, table, out=tmp_path / "expected", config=SMALL, progress=False)
    assert fit(toy_schema, sources[form], out=tmp_path / "run", config=SMALL, progress=False).run_id == expected.run_id


def test_text_of_a_csv_file_is_taken_as_written(tmp_path: Path) -> None:
    features = (CategoricalFeature(name="zip", dtype="text", num_buckets=9),)
    schema = Schema(name="toy", features=features, tasks=(CLICK,))
    table = pa.table({"zip": ["007", "2026-07-01", "True", "1.50"] * 5, "is_click": [0, 1, 1, 0] * 5})
    pa.csv.write_csv(table, tmp_path / "logs.csv", pa.csv.WriteOptions(quoting_style="none"))
    assert_array_equal(
        prepare(schema, tmp_path / "logs.csv", TrainConfig()).train.read().ids,
        prepare(schema, table, TrainConfig()).train.read().ids,
    )


def test_statistics_come_from_training_rows_only(toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = toy_rows(200)
    ages = table["age"].to_pylist()
    changed = replaced(table, "age", [*ages[:180], *[1000] * 20])
    config = TrainConfig(validation=ValidationConfig(share=0.1))
    assert prepare(toy_schema, changed, config).schema == prepare(toy_schema, table, config).schema


def test_statistics_are_those_of_the_training_rows(toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = toy_rows(200)
    age = prepare(toy_schema, table, TrainConfig()).schema.numeric_features[1]
    present = np.array([value for value in table["age"][:180].to_pylist() if value is not None], np.float64)
    assert age.mean == pytest.approx(present.mean(), rel=1e-12)
    assert age.std == pytest.approx(present.std(), rel=1e-12)


def test_newest_rows_validate_in_any_order_of_the_table(toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = toy_rows(100)
    order = np.random.default_rng(0).permutation(100)
    data = prepare(toy_schema, table.take(order), TrainConfig())
    assert sorted(order[data.validation.rows]) == list(range(90, 100))


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.path / "weights.safetensors")


def test_rows_of_weight_zero_teach_nothing(toy_rows: ToyRows, tmp_path: Path) -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="score"),), tasks=(CLICK,), sample_weight="w")
    table = toy_rows(200).append_column("w", pa.array([0.0, 1.0] * 100))
    flipped = replaced(table, "is_click", table["is_click"].to_numpy() ^ (np.arange(200) % 2 == 0))
    first = fit(schema, table, out=tmp_path / "first", config=SMALL, progress=False)
    second = fit(schema, flipped, out=tmp_path / "second", config=SMALL, progress=False)
    third = fit(schema.resolved(), replaced(table, "w", [1.0] * 200), out=tmp_path / "third", config=SMALL)
    same = [torch.equal(value, weights_of(second)[name]) for name, value in weights_of(first).items()]
    assert all(same)
    assert not torch.equal(
        weights_of(first)["network.layers.bottom.0.weight"], weights_of(third)["network.layers.bottom.0.weight"]
    )


def test_weights_of_validation_rows_weigh_their_metrics(toy_rows: ToyRows, tmp_path: Path) -> None:
    features = (NumericFeature(name="score"),)
    schema = Schema(name="toy", features=features, tasks=(CLICK,), time="time_ms", sample_weight="w")
    table = toy_rows(200).append_column("w", pa.array([0.0, 1.0] * 100))
    run = fit(schema, table, out=tmp_path / "run", config=SMALL, progress=False)
    assert run.evaluation.counts["click"]["rows"] == 10


def test_intervals_can_be_left_out(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    config = TrainConfig(batch_size=64, validation=ValidationConfig(resamples=0))
    run = fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    assert run.evaluation.intervals == {"click": {}, "like": {}, "rating": {}, "watch_s": {}}


def test_unit_of_the_weights_does_not_matter(toy_rows: ToyRows, tmp_path: Path) -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="score"),), tasks=(CLICK,), sample_weight="w")
    table = toy_rows(200).append_column("w", pa.array([4.0] * 200))
    weighed = fit(schema, table, out=tmp_path / "weighed", config=SMALL, progress=False)
    plain = fit(
        msgspec.structs.replace(schema, sample_weight=None), table, out=tmp_path / "plain", config=SMALL, progress=False
    )
    assert all(torch.equal(value, weights_of(plain)[name]) for name, value in weights_of(weighed).items())


def test_group_split_validates_on_unseen_groups(toy_rows: ToyRows, tmp_path: Path) -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="score"),), tasks=(CLICK,), group="user_id")
    table, config = toy_rows(400), TrainConfig(validation=ValidationConfig(split="group", share=0.3))
    data = prepare(schema, table, config)
    users = table["user_id"].to_numpy()
    assert not set(users[data.validation.rows]) & set(np.delete(users, data.validation.rows))
    run = fit(schema, table, out=tmp_path / "run", config=config, progress=False)
    assert 0.0 < run.metrics["click"]["gauc"] < 1.0
    assert TrainConfig.load(run.path / "config.toml") == config


def test_column_of_the_file_splits_it(toy_rows: ToyRows, tmp_path: Path) -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="score"),), tasks=(CLICK,))
    sides = ["validation" if row % 4 == 1 else "train" for row in range(100)]
    pq.write_table(toy_rows(100).append_column("side", pa.array(sides)), tmp_path / "logs.parquet")
    data = prepare(schema, tmp_path / "logs.parquet", TrainConfig(validation=ValidationConfig(column="side")))
    assert data.validation.rows.tolist() == list(range(1, 100, 4))


def test_rows_and_labels_stay_together(toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = toy_rows(100)
    data = prepare(toy_schema, table, TrainConfig())
    scores = table["score"].to_numpy().astype(np.float32)
    train, validation = data.train.read(), data.validation.read()
    assert_array_equal(train.dense[:, 0], scores[:90])
    assert_array_equal(validation.dense[:, 0], scores[90:])
    assert_array_equal(train.labels[:, 0], table["is_click"].to_numpy()[:90])
    assert_array_equal(validation.labels[:, 0], table["is_click"].to_numpy()[90:])


@pytest.mark.parametrize(
    "feature",
    [
        NumericFeature(name="age", transform=("standardize",)),
        CategoricalFeature(name="age", dtype="text", num_buckets=9),
    ],
    ids=["numeric", "hashed"],
)
def test_schema_of_one_kind_of_feature_trains(
    feature: NumericFeature | CategoricalFeature, toy_rows: ToyRows, tmp_path: Path
) -> None:
    schema = Schema(name="toy", features=(feature,), tasks=(CLICK,))
    run = fit(schema, toy_rows(100), out=tmp_path / "run", config=SMALL, progress=False)
    loaded = TrainedRanker.load(run.path)
    assert len(predict(loaded.model, loaded.sample)["click"]) == 10


def test_last_batch_of_one_row_trains(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    config = TrainConfig(batch_size=89, validation=ValidationConfig(share=0.1))
    assert isinstance(fit(toy_schema, toy_rows(100), out=tmp_path / "run", config=config, progress=False), Run)


def test_each_epoch_is_logged(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "polyrank"):
        fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=SMALL, progress=False)
    assert any(re.match(r"epoch 1 of at most 5: click auc \d\.\d{4}, like auc", message) for message in caplog.messages)


def test_metrics_are_described_in_one_line() -> None:
    assert describe({"click": {"auc": 0.7}, "watch": {"rmse": 0.9, "rmsle": 0.25}}) == (
        "click auc 0.7000, watch rmse 0.9000, watch rmsle 0.2500"
    )


def test_files_of_a_run_are_readable_by_all(toy_run: Path) -> None:
    assert {file.name: file.stat().st_mode & 0o444 for file in toy_run.iterdir()} == {
        file.name: 0o444 for file in toy_run.iterdir()
    }
