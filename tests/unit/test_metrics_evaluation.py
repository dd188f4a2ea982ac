import json
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from polyrank.features import NumericFeature
from polyrank.metrics import Evaluation, evaluate, headline
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask

SCHEMA = Schema(
    name="toy",
    features=(NumericFeature(name="x"),),
    tasks=(
        BinaryTask(name="click", label="c"),
        RegressionTask(name="watch", label="w", transform="log1p"),
        CountTask(name="shares", label="s"),
        OrdinalTask(name="stars", label="r", levels=(1, 2, 3)),
        MulticlassTask(name="kind", label="k", num_classes=3),
    ),
)
Rows = tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]


def rows(size: int = 60) -> Rows:
    random = np.random.default_rng(0)
    labels = np.stack(
        [
            random.integers(0, 2, size),
            random.exponential(9, size),
            random.poisson(2, size),
            random.integers(1, 4, size),
            random.integers(0, 3, size),
        ],
        axis=1,
    ).astype(np.float32)
    answers = {name: random.random(size).astype(np.float32) for name in ("click", "watch", "shares", "stars")}
    return answers | {"kind": random.dirichlet((1, 1, 1), size).astype(np.float32)}, labels


def assert_same(found: Evaluation, expected: Evaluation) -> None:
    assert found.values == {task: pytest.approx(values, rel=1e-6) for task, values in expected.values.items()}
    assert (found.undefined, found.counts) == (expected.undefined, expected.counts)


def test_every_kind_of_task_has_its_metrics() -> None:
    evaluation = evaluate(SCHEMA, *rows())
    assert {task: list(values) for task, values in evaluation.values.items()} == {
        "click": ["auc", "log_loss", "normalized_entropy", "calibration_error", "calibration"],
        "watch": ["rmse", "mae", "xauc", "rmsle"],
        "shares": ["rmse", "mae", "poisson_deviance", "calibration"],
        "stars": ["rmse", "mae", "quadratic_kappa", "accuracy"],
        "kind": ["log_loss", "accuracy", "macro_auc"],
    }
    assert all(math.isfinite(value) for values in evaluation.values.values() for value in values.values())
    assert evaluation.undefined == {"click": {}, "watch": {}, "shares": {}, "stars": {}, "kind": {}}


def test_groups_add_metrics_to_binary_tasks_and_counts() -> None:
    evaluation = evaluate(SCHEMA, *rows(), np.arange(60) % 30 - 1)
    assert list(evaluation.values["click"])[-2:] == ["ndcg@10", "recall@10"]
    counts = evaluation.counts["click"]
    assert counts["rows"] == 60
    assert counts["gauc.groups"] + counts["gauc.skipped_groups"] == 29
    assert set(counts) == {"rows"} | {
        f"{metric}.{what}" for metric in ("gauc", "ndcg@10", "recall@10") for what in ("groups", "skipped_groups")
    }


@pytest.mark.parametrize("task", range(5), ids=[task.name for task in SCHEMA.tasks])
def test_unobserved_labels_do_not_count(task: int) -> None:
    answers, labels = rows()
    holes = np.random.default_rng(1).random(60) < 0.4
    with_holes = labels.copy()
    with_holes[holes, task] = np.nan
    expected = evaluate(SCHEMA, {name: values[~holes] for name, values in answers.items()}, labels[~holes])
    name = SCHEMA.tasks[task].name
    evaluation = evaluate(SCHEMA, answers, with_holes)
    assert evaluation.values[name] == expected.values[name]
    assert evaluation.counts[name]["rows"] == 60 - holes.sum()


def test_rows_of_weight_zero_do_not_count() -> None:
    answers, labels = rows()
    weights = np.random.default_rng(1).integers(0, 2, 60).astype(np.float32)
    kept = weights > 0
    groups = np.arange(60) % 7
    expected = evaluate(SCHEMA, {name: values[kept] for name, values in answers.items()}, labels[kept], groups[kept])
    assert_same(evaluate(SCHEMA, answers, labels, groups, weights), expected)


def test_weights_weigh_rows() -> None:
    answers, labels = rows()
    weights = np.random.default_rng(1).random(60).astype(np.float32)
    expected = roc_auc_score(labels[:, 0], answers["click"], sample_weight=weights)
    assert_allclose(evaluate(SCHEMA, answers, labels, weights=weights).values["click"]["auc"], expected, rtol=1e-12)


def test_unit_of_the_weights_does_not_matter() -> None:
    answers, labels = rows()
    weights = np.random.default_rng(1).random(60).astype(np.float32)
    groups = np.arange(60) % 7
    first, second = (evaluate(SCHEMA, answers, labels, groups, unit * weights) for unit in (1, 7))
    assert_same(first, second)


def test_identifiers_of_groups_do_not_matter() -> None:
    answers, labels = rows()
    groups = np.arange(60) % 7 - 1
    names = np.array([2**62, 5, 2**40, 0, 9, 7, -1])
    assert evaluate(SCHEMA, answers, labels, names[groups]) == evaluate(SCHEMA, answers, labels, groups)


NOTHING = "none of its labels is observed in a row of weight above 0"


def undefined(evaluation: Evaluation) -> dict[str, list[str]]:
    """Return the names of metrics that are NaN."""
    return {
        task: [name for name, value in values.items() if math.isnan(value)]
        for task, values in evaluation.values.items()
    }


@pytest.mark.parametrize("case", ["no row", "no label", "no weight"])
def test_nothing_observed_is_nan_with_a_reason(case: str) -> None:
    answers, labels = rows(0 if case == "no row" else 60)
    labels = np.full_like(labels, np.nan) if case == "no label" else labels
    weights = np.zeros(60, np.float32) if case == "no weight" else None
    evaluation = evaluate(SCHEMA, answers, labels, np.arange(len(labels)), weights)
    assert undefined(evaluation) == {task: list(values) for task, values in evaluation.values.items()}
    assert {reason for reasons in evaluation.undefined.values() for reason in reasons.values()} == {NOTHING}


def test_labels_of_one_class_give_reasons() -> None:
    answers, _ = rows(9)
    answers["stars"][:] = 1
    evaluation = evaluate(SCHEMA, answers, np.tile(np.array([0, 5, 0, 1, 2], np.float32), (9, 1)), np.arange(9))
    assert evaluation.undefined == {
        "click": {
            "auc": "its observed labels are of one class",
            "gauc": "no group has observed labels of both classes",
            "normalized_entropy": "its observed labels are of one class",
            "calibration": "none of its observed labels is 1",
            "ndcg@10": "no group has an observed label of 1",
            "recall@10": "no group has an observed label of 1",
        },
        "watch": {"xauc": "its observed labels are all equal"},
        "shares": {"calibration": "its observed labels are all 0"},
        "stars": {"quadratic_kappa": "its observed labels and the answers nearest to them are all of one level"},
        "kind": {"macro_auc": "its observed labels are of one class"},
    }
    assert undefined(evaluation) == {task: list(reasons) for task, reasons in evaluation.undefined.items()}


def test_evaluation_is_plain() -> None:
    evaluation = evaluate(SCHEMA, *rows(), np.arange(60) % 7)
    plain = {"values": evaluation.values, "undefined": evaluation.undefined, "counts": evaluation.counts}
    assert json.loads(json.dumps(plain)) == plain


def test_headline_is_short() -> None:
    metrics = evaluate(SCHEMA, *rows(), np.arange(60) % 7).values
    assert {task: list(values) for task, values in headline(SCHEMA, metrics).items()} == {
        "click": ["auc", "gauc"],
        "watch": ["rmse", "rmsle"],
        "shares": ["rmse", "poisson_deviance"],
        "stars": ["rmse", "quadratic_kappa"],
        "kind": ["log_loss", "accuracy"],
    }
    assert headline(SCHEMA, metrics)["click"]["auc"] == metrics["click"]["auc"]
