"""Searching for a configuration: where, what is kept, and what it refuses."""

import csv
import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
from toy import toy_table

from polyrank.errors import ConfigError, DivergedError, MissingExtraError, OutputError
from polyrank.models import ModelConfig
from polyrank.models.config import MAX_WIDTH
from polyrank.schema import Schema
from polyrank.train import BalancingConfig, TrainConfig, ValidationConfig, fit
from polyrank.train.search_space import SearchSpace
from polyrank.train.tuning import Tuning, tune
from polyrank.train.tuning.space import space_around, suggest

SMALL = ModelConfig(hidden_dims=(8,), tower_dims=())
CONFIG = TrainConfig(batch_size=256, model=SMALL, validation=ValidationConfig(resamples=0))
ROWS = 600


@pytest.fixture(scope="module")
def schema(toy_schema: Schema) -> Schema:
    return msgspec.structs.replace(toy_schema, tasks=toy_schema.tasks[:2])


def search(schema: Schema, out: Path, trials: int, **changed: Any) -> Tuning:
    config = msgspec.structs.replace(CONFIG, **changed)
    return tune(schema, toy_table(ROWS), metric="click.auc", out=out, config=config, trials=trials)


@pytest.fixture(scope="module")
def searched(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tuning]:
    out = tmp_path_factory.mktemp("searched")
    return out, search(schema, out, 4)


def test_best_trial_has_the_highest_auc(searched: tuple[Path, Tuning]) -> None:
    assert searched[1].best.value == max(trial.value or 0.0 for trial in searched[1].trials)


def test_best_configuration_trains_to_its_value(searched: tuple[Path, Tuning], schema: Schema, tmp_path: Path) -> None:
    config = TrainConfig.load(searched[0] / "best.toml")
    run = fit(schema, toy_table(ROWS), out=tmp_path / "run", config=config, progress=False)
    assert run.metrics["click"]["auc"] == searched[1].best.value


def test_table_has_a_row_for_each_trial(searched: tuple[Path, Tuning]) -> None:
    with (searched[0] / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["value"]) for row in rows] == [trial.value for trial in searched[1].trials]
    assert [float(row["lr"]) for row in rows] == [trial.values["lr"] for trial in searched[1].trials]


def test_first_trial_is_the_given_configuration(searched: tuple[Path, Tuning], schema: Schema, tmp_path: Path) -> None:
    run = fit(schema, toy_table(ROWS), out=tmp_path / "run", config=CONFIG, progress=False)
    assert searched[1].trials[0].value == run.metrics["click"]["auc"]
    assert searched[1].trials[0].values["hidden_dims"] == "8"


def test_value_is_that_of_calibrated_answers(schema: Schema, tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, batch_size=32, model=msgspec.structs.replace(SMALL, calibration="platt"))
    found = tune(schema, toy_table(ROWS), metric="click.log_loss", out=tmp_path, config=config, trials=1)
    run = fit(schema, toy_table(ROWS), out=tmp_path / "run", config=config, progress=False)
    assert found.best.value == run.metrics["click"]["log_loss"]


def test_first_trial_draws_what_the_space_lacks_of_the_given(schema: Schema, tmp_path: Path) -> None:
    space = SearchSpace(lr=(0.5, 0.6), batch_size=(64, 128), task_weights=(2.0, 4.0))
    values = search(schema, tmp_path, 1, tune=space).trials[0].values
    assert 0.5 <= values["lr"] <= 0.6
    assert values["batch_size"] in (64, 128)
    assert 2.0 <= values["task_weights.like"] <= 4.0
    assert values["dropout"] == SMALL.dropout


def test_search_in_two_parts_is_that_in_one(searched: tuple[Path, Tuning], schema: Schema, tmp_path: Path) -> None:
    search(schema, tmp_path, 2)
    found = search(schema, tmp_path, 4)
    assert [trial.values for trial in found.trials] == [trial.values for trial in searched[1].trials]
    assert [trial.value for trial in found.trials] == [trial.value for trial in searched[1].trials]


def test_finished_search_tries_nothing_more(searched: tuple[Path, Tuning], schema: Schema) -> None:
    assert len(search(schema, searched[0], 3).trials) == 4


def test_interrupted_trial_is_tried_again(
    searched: tuple[Path, Tuning], schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["polyrank.train.tuning.tune"], "train_model", stop)
        with pytest.raises(KeyboardInterrupt):
            search(schema, tmp_path, 2)
    found = search(schema, tmp_path, 2)
    assert [trial.state for trial in found.trials] == ["interrupted", "complete", "complete"]
    assert [trial.value for trial in found.trials[1:]] == [trial.value for trial in searched[1].trials[:2]]


def test_line_that_a_kill_tore_is_dropped(searched: tuple[Path, Tuning], schema: Schema, tmp_path: Path) -> None:
    search(schema, tmp_path, 1)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code": 5, "worker')
    found = search(schema, tmp_path, 2)
    assert [trial.value for trial in found.trials] == [trial.value for trial in searched[1].trials[:2]]


def test_diverged_trial_does_not_end_the_search(
    schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["polyrank.train.tuning.tune"]
    original, calls = module.train_model, iter([True, False])

    def train(*arguments: Any, **options: Any) -> object:
        if next(calls):
            raise DivergedError("training diverged")
        return original(*arguments, **options)

    monkeypatch.setattr(module, "train_model", train)
    found = search(schema, tmp_path, 2)
    assert [(trial.state, trial.value is None) for trial in found.trials] == [("diverged", True), ("complete", False)]


def test_trial_that_an_error_ends_is_failed(schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["polyrank.train.tuning.tune"], "train_model", fail)
        with pytest.raises(MemoryError, match="no room"):
            search(schema, tmp_path, 2)
    assert [trial.state for trial in search(schema, tmp_path, 2).trials] == ["failed", "complete"]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            SearchSpace(batch_size=(1024, 1)),
            r"^\$\.tune\.batch_size\[1\]: \$\.batch_size must be in \[2, 2\*\*31\), got 1$",
        ),
        (
            SearchSpace(hidden_dims=((8,), (8, 10**6))),
            r"^\$\.tune\.hidden_dims\[1\]: \$\.model\.hidden_dims\[1\] must be in ",
        ),
        (SearchSpace(hidden_dims=((),)), r"^\$\.tune\.hidden_dims\[0\]: .* must hold at least one width, got none$"),
        (
            SearchSpace(num_experts=(0,)),
            r"^\$\.tune\.num_experts\[0\]: \$\.model\.num_experts must be in \[1, \d+\], got 0$",
        ),
    ],
)
def test_choice_that_no_training_takes_is_refused_before_rows_are_read(
    schema: Schema, tmp_path: Path, space: SearchSpace, message: str
) -> None:
    config = msgspec.structs.replace(CONFIG, tune=space)
    with pytest.raises(ConfigError, match=message):
        tune(schema, tmp_path / "absent.parquet", metric="click.auc", out=tmp_path, config=config)


def test_doubled_widths_stay_within_the_limit(schema: Schema) -> None:
    config = TrainConfig(model=ModelConfig(hidden_dims=(MAX_WIDTH,)))
    assert space_around(config, schema).hidden_dims == ((MAX_WIDTH // 2,), (MAX_WIDTH,))


def test_search_in_which_all_diverge_is_refused(schema: Schema, tmp_path: Path) -> None:
    space = SearchSpace(lr=(1e30, 1e31))
    with pytest.raises(ConfigError, match=r"none of 2 trials came to its end \(2 diverged\); change \[tune\]"):
        search(schema, tmp_path, 2, tune=space)
    assert "diverged" in (tmp_path / "trials.csv").read_text()


def test_bad_trial_ends_at_an_early_validation(schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda _self, _study, trial: trial.number == 1)
    found = search(schema, tmp_path, 2, epochs=2)
    assert [trial.state for trial in found.trials] == ["complete", "pruned"]


def test_last_validation_ends_no_trial_early(schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda *_arguments: True)
    assert [trial.state for trial in search(schema, tmp_path, 1, epochs=1).trials] == ["complete"]


def test_undefined_metric_is_no_value(schema: Schema, tmp_path: Path) -> None:
    table = toy_table(ROWS)
    ones = table.set_column(table.column_names.index("is_click"), "is_click", [[1] * ROWS])
    with pytest.raises(ConfigError, match=r"none of 1 trials came to its end \(1 undefined\)"):
        tune(schema, ones, metric="click.auc", out=tmp_path, config=CONFIG, trials=1)


def test_no_trial_begins_after_the_time(schema: Schema, tmp_path: Path) -> None:
    found = tune(schema, toy_table(ROWS), metric="click.auc", out=tmp_path, config=CONFIG, trials=50, timeout_s=0.01)
    assert len(found.trials) == 1


@pytest.mark.parametrize("changed", [{"batch_size": 128}, {"tune": SearchSpace(lr=(0.1, 0.2))}])
def test_search_of_something_else_is_refused(
    searched: tuple[Path, Tuning], schema: Schema, changed: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="holds a search of another schema, configuration, metric or data; choose"):
        search(schema, searched[0], 4, **changed)


def test_search_on_other_rows_of_a_schema_without_statistics_is_refused(schema: Schema, tmp_path: Path) -> None:
    hashed = msgspec.structs.replace(schema, features=schema.features[:2])
    search(hashed, tmp_path, 1)
    with pytest.raises(ConfigError, match="holds a search of another schema, configuration, metric or data; choose"):
        tune(hashed, toy_table(ROWS, seed=1), metric="click.auc", out=tmp_path, config=CONFIG, trials=1)


def test_second_process_in_a_folder_is_refused(schema: Schema, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(
        OutputError, match=r"another process is at work on the search in .*; wait for it, or choose another folder"
    ):
        search(schema, tmp_path, 1)
    os.close(descriptor)


def test_damaged_journal_is_refused(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "study.journal").write_text("notes\nmore notes\n")
    with pytest.raises(OutputError, match=r"study\.journal is damaged; remove it, or choose another folder"):
        search(schema, tmp_path, 1)


def test_folder_that_is_a_file_is_refused(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*/file: file exists; choose another folder for the search"):
        search(schema, tmp_path / "file", 1)


def test_journal_that_is_a_folder_is_refused(schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "study.journal").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*study\.journal: is a directory; choose another folder"):
        search(schema, tmp_path, 1)


def test_missing_optuna_names_the_extra(schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"polyrank tune needs optuna; pip install 'polyrank\[tune\]'"):
        search(schema, tmp_path, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trials": 0}, r"trials must be in \[1, 1000000\], got 0"),
        ({"timeout_s": -1.0}, "timeout_s must be above 0 and finite, got -1.0"),
        ({"metric": "click.acu"}, "metric 'click.acu' is none of this schema"),
    ],
)
def test_wrong_argument_is_refused(schema: Schema, tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tune(schema, toy_table(10), **{"metric": "click.auc", "out": tmp_path, **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": (0.1, 0.01)}, r"\$.tune.lr must be two numbers above 0, the lower one first, got \[0.1, 0.01\]"),
        ({"embedding_lr": (0.0, 0.1)}, r"\$.tune.embedding_lr must be two numbers above 0"),
        ({"task_weights": (1.0, float("inf"))}, r"\$.tune.task_weights must be two numbers above 0"),
        ({"dropout": (0.0, 1.0)}, r"\$.tune.dropout must be two numbers in \[0, 1\)"),
    ],
)
def test_wrong_space_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SearchSpace(**wrong)


def test_space_lies_around_the_configuration(schema: Schema) -> None:
    model = ModelConfig(architecture="mmoe", hidden_dims=(64, 32), num_experts=3)
    found = space_around(TrainConfig(model=model), schema)
    assert found == SearchSpace(
        lr=(1e-4, 1e-2),
        embedding_lr=(0.005, 0.5),
        dropout=(0.0, 0.3),
        hidden_dims=((32, 16), (64, 32), (128, 64)),
        num_experts=(2, 3, 4, 8),
        task_weights=(0.25, 4.0),
    )


def test_what_makes_no_difference_is_not_searched(schema: Schema) -> None:
    one = msgspec.structs.replace(schema, tasks=schema.tasks[:1])
    assert space_around(TrainConfig(), one).task_weights is None
    balanced = TrainConfig(balancing=BalancingConfig(method="uncertainty"))
    assert space_around(balanced, schema).task_weights is None
    assert space_around(TrainConfig(), schema).num_experts == ()


def test_trial_becomes_a_configuration(schema: Schema) -> None:
    values = {
        "lr": 0.002,
        "embedding_lr": 0.03,
        "dropout": 0.1,
        "hidden_dims": "16x8",
        "num_experts": 8,
        "batch_size": 64,
        "task_weights.like": 2.0,
    }
    space = SearchSpace(
        lr=(0.001, 0.01),
        embedding_lr=(0.01, 0.1),
        dropout=(0.0, 0.2),
        hidden_dims=((8,), (16, 8)),
        num_experts=(4, 8),
        batch_size=(32, 64),
        task_weights=(0.5, 2.0),
    )
    found = suggest(optuna.trial.FixedTrial(values), space, CONFIG, schema)
    assert (found.optimizer.lr, found.optimizer.embedding_lr, found.batch_size) == (0.002, 0.03, 64)
    assert (found.model.dropout, found.model.hidden_dims, found.model.num_experts) == (0.1, (16, 8), 8)
    assert found.task_weights == {"click": 1.0, "like": 1.0}
    assert found.tune is None


def test_space_is_a_table_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "train.toml").write_text("[tune]\nlr = [1e-4, 1e-3]\nhidden_dims = [[8], [16, 8]]\n")
    assert TrainConfig.load(tmp_path / "train.toml").tune == SearchSpace(lr=(1e-4, 1e-3), hidden_dims=((8,), (16, 8)))
