"""Comparing models: the arithmetic of differences, the same budget for all, and runs that are kept."""

import fcntl
import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from toy import toy_table

from polyrank.errors import ConfigError, OutputError, SchemaError
from polyrank.features import NeighborsFeature
from polyrank.metrics import Bootstrap
from polyrank.models import ModelConfig, TrainedRanker
from polyrank.schema import Schema
from polyrank.staging import staged_directory
from polyrank.tasks import OrdinalTask
from polyrank.train import EarlyStoppingConfig, Run, TrainConfig, ValidationConfig, fit
from polyrank.train.comparing import Comparison, ComparisonConfig, compare, costs_of, report_text
from polyrank.train.comparing.differences import changes, joint_interval, t_interval, verdict
from polyrank.train.comparing.plan import plan
from polyrank.train.preparing import TrainingData, prepare
from polyrank.train.run import fit_prepared
from polyrank.train.training import Training
from polyrank.train.validation import AnsweredRows

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


def test_interval_over_seeds_is_students() -> None:
    found = t_interval(np.array([0.01, 0.03, 0.02]), 0.95)
    assert found == pytest.approx((0.02 - 4.302653 * 0.01 / math.sqrt(3), 0.02 + 4.302653 * 0.01 / math.sqrt(3)))


def test_one_seed_has_no_interval_over_seeds() -> None:
    assert t_interval(np.array([0.5]), 0.95) is None


def test_joint_interval_of_equal_seeds_is_that_of_the_rows() -> None:
    drawn = np.random.default_rng(0).normal(0.2, 0.1, 50)
    found = joint_interval(np.array([0.2, 0.2]), drawn, 0.95)
    error = math.sqrt(sum((value - sum(drawn) / 50) ** 2 for value in drawn) / 49)
    assert found == pytest.approx((0.2 - 1.959964 * error, 0.2 + 1.959964 * error))


def test_joint_interval_of_sure_rows_is_that_of_the_seeds() -> None:
    differences = np.array([0.01, 0.03, 0.02])
    assert joint_interval(differences, np.full(10, 0.02), 0.9) == pytest.approx(t_interval(differences, 0.9))


def test_joint_interval_of_one_seed_is_percentiles_of_the_rows() -> None:
    drawn = np.arange(101.0)
    assert joint_interval(np.array([50.0]), drawn, 0.9) == pytest.approx((5.0, 95.0))


@pytest.mark.parametrize(("seed_sd", "rows_sd"), [(0.03, 0.001), (0.02, 0.02), (0.001, 0.03)])
def test_joint_interval_holds_the_truth_as_often_as_it_says(seed_sd: float, rows_sd: float) -> None:
    random, held = np.random.default_rng(0), []
    for _ in range(1500):
        differences = 0.1 + random.normal(0, rows_sd) + random.normal(0, seed_sd, 3)
        drawn = random.normal(differences.mean(), rows_sd, 200)
        low, high = joint_interval(differences, drawn, 0.95)
        held.append(low <= 0.1 <= high)
    assert 0.93 <= np.mean(held) <= 0.985


@pytest.mark.parametrize(
    ("interval", "best", "expected"),
    [
        ((0.1, 0.2), "high", "better"),
        ((-0.2, -0.1), "high", "worse"),
        ((-0.1, 0.2), "high", "no clear difference"),
        ((0.0, 0.0), "high", "no clear difference"),
        ((-0.2, -0.1), "low", "better"),
        ((0.1, 0.2), "low", "worse"),
        ((0.1, 0.2), "one", "unknown"),
        ((math.nan, math.nan), "high", "unknown"),
        (None, "low", "unknown"),
    ],
)
def test_verdict_follows_from_the_interval(interval: Any, best: Any, expected: str) -> None:
    assert verdict(interval, best) == expected


def test_difference_is_that_of_the_means_over_seeds(schema: Schema) -> None:
    labels = np.array([[0, 0], [1, 1], [1, 0], [0, 1]], np.float32)
    right, wrong = np.array([0.1, 0.9, 0.8, 0.2], np.float32), np.array([0.9, 0.1, 0.2, 0.8], np.float32)
    models = {"a": [{"click": wrong, "like": wrong}] * 2, "b": [{"click": right, "like": right}] * 2}
    models["b"] = [models["b"][0], {"click": wrong, "like": right}]
    rows = AnsweredRows({}, labels, None, None)
    click, _ = changes(schema, models, rows, Bootstrap(resamples=10))
    assert (click.values, click.baseline, click.difference) == ((1.0, 0.0), (0.0, 0.0), 0.5)


def test_trainings_differ_in_seed_and_architecture_alone(schema: Schema) -> None:
    jobs = plan(schema, CONFIG, TWO)
    assert [job.folder for job in jobs[:4]] == [
        "one_per_task/click/seed-0",
        "one_per_task/like/seed-0",
        "shared_bottom/seed-0",
        "mmoe/seed-0",
    ]
    same = {
        msgspec.json.encode(
            msgspec.structs.replace(
                job.config, seed=0, task_weights={}, model=msgspec.structs.replace(job.config.model, architecture="ple")
            )
        )
        for job in jobs
    }
    assert (len(jobs), len(same)) == (8, 1)
    assert {job.config.seed for job in jobs} == {0, 1}


def test_model_of_one_task_is_what_fit_makes_of_it(compared: tuple[Path, Comparison], schema: Schema) -> None:
    alone = msgspec.structs.replace(schema, tasks=(msgspec.structs.replace(schema.tasks[1], weight=1.0),))
    config = TrainConfig.load(compared[0] / "one_per_task" / "like" / "seed-1" / "config.toml")
    run = fit(alone, toy_table(1000), out=compared[0].parent / "alone", config=config, progress=False)
    assert run.run_id == TrainedRanker.load(compared[0] / "one_per_task" / "like" / "seed-1").run_id


@pytest.mark.parametrize("architecture", ["esmm", "aitm"])
def test_model_of_a_chain_is_what_fit_makes_of_it(schema: Schema, tmp_path: Path, architecture: str) -> None:
    comparison = ComparisonConfig(architectures=("shared_bottom", architecture), seeds=1)
    compare(schema, toy_table(400), out=tmp_path / "compared", config=CONFIG, comparison=comparison)
    compared = tmp_path / "compared" / architecture / "seed-0"
    run = fit(
        schema, toy_table(400), out=tmp_path / "run", config=TrainConfig.load(compared / "config.toml"), progress=False
    )
    assert run.run_id == TrainedRanker.load(compared).run_id


def test_model_that_does_not_fit_into_memory_is_refused_before_any_training(
    schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyrank.models.memory.available_bytes", lambda: 60_000)  # one input's tables take 29,912
    comparison = ComparisonConfig(architectures=("shared_bottom", "stem"))
    config = msgspec.structs.replace(CONFIG, epochs=1)
    with pytest.raises(SchemaError, match=r"^training needs 0\.1 MiB for embedding tables, and 0\.1 MiB are free"):
        compare(schema, tmp_path / "absent.parquet", out=tmp_path / "runs", config=config, comparison=comparison)


def test_seeds_share_one_random_split(schema: Schema, tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, validation=ValidationConfig(split="random", resamples=5))
    comparison = ComparisonConfig(architectures=("shared_bottom",), seeds=2)
    compare(schema, toy_table(400), out=tmp_path, config=config, comparison=comparison)
    samples = [TrainedRanker.load(tmp_path / "shared_bottom" / f"seed-{seed}").sample for seed in (0, 1)]
    np.testing.assert_array_equal(samples[0].ids, samples[1].ids)


def test_every_model_is_compared_in_every_headline_metric(compared: tuple[Path, Comparison]) -> None:
    found = [(change.task, change.metric, change.model, len(change.values)) for change in compared[1].changes]
    assert found == [
        ("click", "auc", "shared_bottom", 2),
        ("click", "auc", "mmoe", 2),
        ("like", "auc", "shared_bottom", 2),
        ("like", "auc", "mmoe", 2),
    ]


def test_values_are_those_of_the_runs(compared: tuple[Path, Comparison]) -> None:
    report = msgspec.json.decode((compared[0] / "mmoe" / "seed-1" / "metrics.json").read_bytes())
    assert compared[1].changes[1].values[1] == pytest.approx(report["validation"]["click"]["auc"], abs=1e-12)


def test_ordinal_task_is_compared(schema: Schema, tmp_path: Path) -> None:
    stars = OrdinalTask(name="stars", label="stars", levels=(1.0, 2.0, 3.0))
    table = toy_table(300).append_column("stars", [np.resize([1.0, 3.0, 2.0, 1.0], 300)])
    comparison = ComparisonConfig(architectures=("shared_bottom",), seeds=2)
    with_stars = msgspec.structs.replace(schema, tasks=(schema.tasks[0], stars))
    config = msgspec.structs.replace(CONFIG, task_weights={})
    found = compare(with_stars, table, out=tmp_path, config=config, comparison=comparison)
    changes_of_stars = [(change.metric, len(change.values)) for change in found.changes if change.task == "stars"]
    assert changes_of_stars == [("rmse", 2), ("quadratic_kappa", 2)]


def test_finished_trainings_are_not_repeated(
    compared: tuple[Path, Comparison], schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(compared[0], tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "mmoe" / "seed-1")
    trained = []

    def train(data: TrainingData, *, out: Path, config: TrainConfig, progress: bool) -> Run:
        trained.append(out)
        return fit_prepared(data, out=out, config=config, progress=progress)

    monkeypatch.setattr("polyrank.train.comparing.trainings.fit_prepared", train)
    again = compare(schema, toy_table(1000), out=tmp_path / "again", config=CONFIG, comparison=TWO)
    assert trained == [tmp_path / "again" / "mmoe" / "seed-1"]
    assert [change.values for change in again.changes] == [change.values for change in compared[1].changes]


@pytest.mark.parametrize(
    ("config", "rows", "what"),
    [
        (msgspec.structs.replace(CONFIG, batch_size=128), 1000, "configuration"),
        (CONFIG, 900, "schema"),
    ],
)
def test_run_of_something_else_is_refused(
    compared: tuple[Path, Comparison], schema: Schema, config: TrainConfig, rows: int, what: str
) -> None:
    with pytest.raises(
        OutputError, match=f"one_per_task/click/seed-0 is a run of another {what}; choose another folder"
    ):
        compare(schema, toy_table(rows), out=compared[0], config=config, comparison=TWO)


def test_run_of_other_rows_of_a_schema_without_statistics_is_refused(schema: Schema, tmp_path: Path) -> None:
    hashed = msgspec.structs.replace(schema, features=schema.features[:2])
    once = ComparisonConfig(architectures=("shared_bottom",), seeds=1)
    compare(hashed, toy_table(300), out=tmp_path, config=CONFIG, comparison=once)
    with pytest.raises(OutputError, match="one_per_task/click/seed-0 is a run of another data; choose another folder"):
        compare(hashed, toy_table(300, seed=1), out=tmp_path, config=CONFIG, comparison=once)


def test_folder_that_is_no_run_is_refused(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "one_per_task" / "click" / "seed-0" / "notes").mkdir(parents=True)
    with pytest.raises(OutputError, match="seed-0 is no finished run; remove it, or choose another folder"):
        compare(schema, toy_table(200), out=tmp_path, config=CONFIG, comparison=TWO)


def test_second_process_in_a_folder_is_refused(schema: Schema, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(
        OutputError, match=r"^another process is at work on the comparison in .*; wait for it, or choose"
    ):
        compare(schema, tmp_path / "absent.parquet", out=tmp_path, config=CONFIG, comparison=TWO)
    os.close(descriptor)


def test_folder_that_is_a_file_is_refused(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"^cannot write .*/file: file exists; choose another folder for the compari"):
        compare(schema, tmp_path / "absent.parquet", out=tmp_path / "file", config=CONFIG, comparison=TWO)


def test_run_that_another_process_writes_is_refused(schema: Schema, tmp_path: Path) -> None:
    out, prepared = tmp_path / "run", prepare(schema, toy_table(200), CONFIG)
    with (
        staged_directory(out),
        pytest.raises(OutputError, match=r"^another process is writing .*/run; wait for it, or choose another output"),
    ):
        fit_prepared(prepared, out=out, config=CONFIG, progress=False)


def test_run_beyond_the_disk_is_refused_before_its_first_step(
    schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(schema, toy_table(200), CONFIG)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=1000))
    monkeypatch.setattr(Training, "run", None)
    with pytest.raises(OutputError, match=r"^cannot write .*/run: the weights take 0\.\d MiB, and 0\.0 MiB are free"):
        fit_prepared(prepared, out=tmp_path / "run", config=CONFIG, progress=False)


def test_cost_of_one_model_per_task_is_a_sum(compared: tuple[Path, Comparison]) -> None:
    each, shared, _ = costs_of(compared[1].runs)
    assert (each.graphs, shared.graphs) == (2, 1)
    assert each.table_parameters == 2 * shared.table_parameters
    weights = TrainedRanker.load(compared[0] / "shared_bottom" / "seed-0").model.state_dict()
    assert shared.weights_mib * 2**20 == sum(value.nbytes for value in weights.values())
    assert set(each.latency_ms) == {1, 100, 1000}


def say_of(run: Path, *, epoch: int, train_s: float) -> Path:
    """Let a run of 900 training rows in batches of 256 have taken so many epochs and seconds."""
    report = msgspec.json.decode((run / "metrics.json").read_bytes())
    report["history"][-1] |= {"epoch": epoch, "steps": 4 * epoch}
    (run / "metrics.json").write_bytes(msgspec.json.encode(report))
    (run / "times.json").write_bytes(msgspec.json.encode({"train_s": train_s}))
    return run


def test_rate_of_each_seed_is_its_own_rows_by_its_own_time(compared: tuple[Path, Comparison], tmp_path: Path) -> None:
    shutil.copytree(compared[0], tmp_path / "runs")
    click, like = tmp_path / "runs" / "one_per_task" / "click", tmp_path / "runs" / "one_per_task" / "like"
    first = [say_of(click / "seed-0", epoch=2, train_s=3.0), say_of(like / "seed-0", epoch=4, train_s=6.0)]
    second = [say_of(click / "seed-1", epoch=1, train_s=1.0), say_of(like / "seed-1", epoch=1, train_s=1.0)]
    (cost,) = costs_of({"one_per_task": [first, second]})
    rates = [(2 * 900 + 4 * 900) / 2 / (3.0 + 6.0), (900 + 900) / 2 / (1.0 + 1.0)]
    assert cost.rows_per_s == pytest.approx(sum(rates) / 2)
    assert cost.train_s == pytest.approx((9.0 + 2.0) / 2)


def test_report_has_a_line_for_each_model_and_metric(compared: tuple[Path, Comparison]) -> None:
    lines = report_text(compared[1]).splitlines()
    assert lines[0] == "100 validation rows, 2 seeds, compared with one_per_task"
    assert lines[2].split() == ["task", "metric", "model", "mean", "sd", "difference", "95%", "interval", "verdict"]
    assert [line.split()[-1] for line in lines[2:]].count("difference") + sum(
        line.endswith(("better", "worse")) for line in lines
    ) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"architectures": ()}, "architectures must name at least one, got none"),
        ({"architectures": ("mmeo",)}, "architectures must be of .*, got 'mmeo'; did you mean 'mmoe'"),
        ({"architectures": ("ple", "ple")}, "architectures must name each once, got 'ple' twice"),
        ({"seeds": 0}, r"seeds must be in \[1, 1000\], got 0"),
        ({"level": 1.0}, r"level must be in \(0, 1\), got 1.0"),
    ],
)
def test_wrong_comparison_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ComparisonConfig(**wrong)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"early_stopping": EarlyStoppingConfig(metric="click.auc")},
            r"\$.early_stopping.metric names a task that some lack",
        ),
        ({"validation": ValidationConfig(resamples=0)}, "resamples must be 1 or above to compare, got 0"),
        ({"task_weights": {"clik": 1.0}}, r"\$.task_weights.clik is no task of the schema; did you mean 'click'"),
    ],
)
def test_configuration_that_cannot_be_everyones_is_refused(
    schema: Schema, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(schema, msgspec.structs.replace(CONFIG, **changed), TWO)


def test_single_task_has_nothing_to_share(schema: Schema) -> None:
    one = msgspec.structs.replace(schema, tasks=schema.tasks[:1])
    with pytest.raises(ConfigError, match="a comparison needs a schema of at least 2 tasks, got 1"):
        plan(one, TrainConfig(), TWO)


def test_neighbours_of_a_task_are_refused(schema: Schema) -> None:
    near = NeighborsFeature(name="near", of="item_id", by="user_id", task="click", k=3)
    fitted = msgspec.structs.replace(schema, features=(*schema.features, near)).resolved()
    with pytest.raises(ConfigError, match="feature 'near' is fitted on a task, which models of the other tasks lack"):
        plan(fitted, TrainConfig(), TWO)
