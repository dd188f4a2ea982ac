import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from toy import toy_table

from polyrank.features import NumericFeature
from polyrank.metrics import Evaluation
from polyrank.models import ModelConfig
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task
from polyrank.train import TrainConfig, ValidationConfig, fit
from polyrank.train.preparing import prepare
from polyrank.train.validation import are_alike
from polyrank.train.warnings import warn_no_chain, warn_of_chance, warn_one_class, warn_small_batches, warn_unread

CLICK = BinaryTask(name="click", label="is_click")
RATING = RegressionTask(name="rating", label="stars")


VISITS = CountTask(name="visits", label="visits")
STARS = OrdinalTask(name="stars", label="level", levels=(1.0, 2.0, 3.0))
KIND = MulticlassTask(name="kind", label="kind", num_classes=3)


def evaluation(auc: float, *interval: float) -> Evaluation:
    low_and_high: dict[str, Any] = {"auc": interval} if interval else {}
    return Evaluation({"click": {"auc": auc}}, {}, {}, {"click": low_and_high})


@pytest.mark.parametrize(("label", "missing"), [(0, 1), (1, 0)])
def test_labels_of_one_class_are_a_warning(label: int, missing: int, caplog: pytest.LogCaptureFixture) -> None:
    labels = np.full(1, label, np.float32)
    warn_one_class([CLICK], labels, labels)
    assert f"task 'click' has no training label of {missing}: all are {label}" in caplog.text
    assert "look at the column 'is_click'" in caplog.text


@pytest.mark.parametrize(
    ("task", "label", "message"),
    [
        (VISITS, 0.0, "task 'visits' has no training label of 1 or more: all are 0, so it learns nothing but that"),
        (STARS, 2.0, "task 'stars' has no training label of another class: all are 2, so it learns nothing but that"),
        (KIND, 1.0, "task 'kind' has no training label of another class: all are 1, so it learns nothing but that"),
    ],
)
def test_labels_of_one_kind_are_a_warning(
    task: Task, label: float, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.full(1, label, np.float32)
    warn_one_class([task], labels, labels)
    assert message in caplog.text


def test_labels_of_both_classes_and_constant_numbers_are_none(caplog: pytest.LogCaptureFixture) -> None:
    warn_one_class([CLICK, RATING, VISITS], np.array([0, 3, 2], np.float32), np.array([1, 3, 2], np.float32))
    assert caplog.text == ""


def test_training_rows_of_one_class_are_found(toy_schema: Schema, caplog: pytest.LogCaptureFixture) -> None:
    table = toy_table(200)
    index = table.column_names.index("is_click")
    prepare(toy_schema, table.set_column(index, "is_click", [np.ones(200, np.int64)]), TrainConfig())
    assert "task 'click' has no training label of 0" in caplog.text


@pytest.mark.parametrize("architecture", ["esmm", "aitm"])
def test_tasks_that_do_not_follow_one_another_are_a_warning(
    architecture: Any, toy_schema: Schema, caplog: pytest.LogCaptureFixture
) -> None:
    schema = msgspec.structs.replace(toy_schema, tasks=(CLICK, BinaryTask(name="like", label="is_like")))
    table = toy_table(200)
    for name, values in {"is_click": np.arange(200) % 2, "is_like": 1 - np.arange(200) % 2}.items():
        table = table.set_column(table.column_names.index(name), name, [values])
    prepare(schema, table, TrainConfig(model=ModelConfig(architecture=architecture)))
    assert "task 'like' follows 'click' in a chain, but is 1 where that is 0 in 50" in caplog.text


def test_tasks_that_follow_one_another_are_none(caplog: pytest.LogCaptureFixture) -> None:
    warn_no_chain({("click", "buy"): 0.0005})
    assert caplog.text == ""


def test_batches_too_small_for_batch_norm_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    warn_small_batches(ModelConfig(normalization="layer"), 2)
    warn_small_batches(ModelConfig(normalization="batch"), 8)
    assert caplog.text == ""
    warn_small_batches(ModelConfig(normalization="batch"), 2)
    assert "batch norm over 2 rows at a time is mostly noise: raise batch_size to 8 or more" in caplog.text


def test_chance_is_a_warning_with_the_interval(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_chance(evaluation(0.51, 0.48, 0.54))
    assert "task 'click' orders validation rows no better than chance (auc 0.5100, 0.5 is in [0.4800, 0.5400])" in (
        caplog.text
    )


@pytest.mark.parametrize("auc", [0.5, 0.43])
def test_chance_is_a_warning_without_an_interval(auc: float, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_chance(evaluation(auc))
    assert f"task 'click' orders validation rows no better than chance (auc {auc:.4f}): too few rows" in caplog.text


@pytest.mark.parametrize("resamples", [0, 20])
def test_equal_answers_of_every_kind_of_task_are_a_warning(
    resamples: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = (CLICK, RATING, VISITS, STARS, KIND)
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks)
    labels = np.arange(100)
    table = pa.table({"x": np.ones(100)} | {task.label: labels % 2 + 1.0 * (task is STARS) for task in tasks})
    config = TrainConfig(epochs=1, batch_size=30, validation=ValidationConfig(resamples=resamples))
    fit(schema, table, out=tmp_path / "run", config=config, progress=False)
    told = [message.split(":")[0] for message in caplog.messages if "validation row" in message]
    assert told == [f"task {task.name!r} answers every validation row alike" for task in tasks]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([0.25, 0.25, 0.25], True),
        ([0.0, 0.0, 0.0], True),
        ([0.25, 0.250_000_03, 0.25], True),
        ([0.25, 0.2501, 0.25], False),
        ([0.0, 0.0, 1e-9], False),
        ([[0.5, 0.5], [0.5, 0.5]], True),
        ([[0.5, 0.5], [0.6, 0.4]], False),
    ],
)
def test_answers_are_alike_but_for_their_last_bits(answers: Any, expected: bool) -> None:  # noqa: FBT001 (a case)
    assert are_alike(np.array(answers, np.float32)) is expected


@pytest.mark.parametrize("interval", [(), (0.55, 0.65)])
def test_better_than_chance_is_none(interval: tuple[float, ...], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    warn_of_chance(evaluation(0.6, *interval))
    assert caplog.text == ""


def test_fields_that_nothing_reads_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    warn_unread(ModelConfig(architecture="mmoe", num_experts=8, num_task_experts=3, cross_rank=4))
    assert caplog.messages == [
        "$.model.num_task_experts = 3 is read with architecture = 'ple' alone, and this is 'mmoe'; leave it out",
        "$.model.cross_rank = 4 is read with interaction = 'dcn_v2' alone, and this is 'none'; leave it out",
    ]


def test_fields_of_layers_are_unread_where_there_are_none() -> None:
    assert ModelConfig(interaction="fm", dropout=0.1).unread() == {"dropout": ("none", "dcn_v2", "deepfm")}
