import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from polyrank.auc import auc
from polyrank.schema import Schema
from polyrank.train.metrics import evaluate, grouped_auc, rmse


@pytest.mark.parametrize("levels", [2, 10, 10**9], ids=["many ties", "some ties", "no ties"])
def test_auc_equals_that_of_sklearn(levels: int) -> None:
    random = np.random.default_rng(levels)
    scores = random.integers(0, levels, 500).astype(np.float64)
    positive = random.random(500) < 0.3
    assert_allclose(auc(scores, positive), roc_auc_score(positive, scores), rtol=1e-12)


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.9], [False, True], 1.0),
        ([0.9, 0.1], [False, True], 0.0),
        ([0.5, 0.5, 0.5], [False, True, True], 0.5),
    ],
    ids=["right", "wrong", "tied"],
)
def test_auc_of_small_cases(scores: list[float], positive: list[bool], expected: float) -> None:
    assert auc(np.array(scores), np.array(positive)) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False], []], ids=["positive", "negative", "none"])
def test_auc_of_one_class_is_nan(positive: list[bool]) -> None:
    assert math.isnan(auc(np.arange(len(positive), dtype=np.float64), np.array(positive, bool)))


def test_rmse_is_root_of_mean_square() -> None:
    assert rmse(np.array([1.0, 2.0]), np.array([4.0, 6.0])) == math.sqrt((9 + 16) / 2)


def test_rmse_of_nothing_is_nan() -> None:
    assert math.isnan(rmse(np.array([]), np.array([])))


def test_metrics_count_observed_labels_only(toy_schema: Schema) -> None:
    random = np.random.default_rng(0)
    answers = {name: random.random(40).astype(np.float32) for name in ("click", "like", "rating", "watch_s")}
    labels = random.integers(0, 2, (40, 4)).astype(np.float32)
    labels[random.random((40, 4)) < 0.3] = np.nan
    metrics = evaluate(toy_schema, answers, labels)
    seen = ~np.isnan(labels)
    click, rating, watch = seen[:, 0], seen[:, 2], seen[:, 3]
    predicted, actual = answers["watch_s"][watch].astype(float), labels[watch, 3].astype(float)
    assert {task: list(values) for task, values in metrics.items()} == {
        "click": ["auc"],
        "like": ["auc"],
        "rating": ["rmse"],
        "watch_s": ["rmse", "rmsle"],
    }
    assert_allclose(metrics["click"]["auc"], roc_auc_score(labels[click, 0], answers["click"][click]), rtol=1e-12)
    error = answers["rating"][rating].astype(float) - labels[rating, 2]
    assert_allclose(metrics["rating"]["rmse"], np.linalg.norm(error) / np.sqrt(rating.sum()), rtol=1e-12)
    assert_allclose(
        metrics["watch_s"]["rmsle"], np.sqrt(np.mean(np.log((1 + predicted) / (1 + actual)) ** 2)), rtol=1e-9
    )


def test_grouped_auc_is_the_mean_of_the_groups_by_rows() -> None:
    random = np.random.default_rng(0)
    scores, positive = random.integers(0, 5, 300).astype(np.float64), random.random(300) < 0.3
    groups = random.integers(0, 40, 300) * 2**55
    parts = [(scores[groups == group], positive[groups == group]) for group in set(groups.tolist())]
    both = [(auc(*part), len(part[0])) for part in parts if 0 < part[1].sum() < len(part[1])]
    areas, sizes = zip(*both, strict=True)
    assert_allclose(grouped_auc(scores, positive, groups), np.average(areas, weights=sizes), rtol=1e-12)


@pytest.mark.parametrize("positive", [[True, False], [True, True], []], ids=["apart", "one class", "none"])
def test_grouped_auc_needs_a_group_of_both_classes(positive: list[bool]) -> None:
    groups = np.arange(len(positive))
    assert math.isnan(grouped_auc(np.zeros(len(positive)), np.array(positive, bool), groups))


def test_groups_add_a_metric_to_binary_tasks(toy_schema: Schema) -> None:
    answers = {task.name: np.array([0.1, 0.9, 0.2, 0.3], np.float32) for task in toy_schema.tasks}
    labels = np.repeat(np.array([[0], [1], [1], [np.nan]], np.float32), 4, axis=1)
    metrics = evaluate(toy_schema, answers, labels, np.array([7, 7, -1, 7]))
    assert metrics["click"] == {"auc": 1.0, "gauc": 1.0}
    assert "gauc" not in metrics["rating"]
