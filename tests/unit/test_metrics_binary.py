import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sklearn_metrics

from polyrank.metrics import probabilities
from polyrank.metrics.observed import Observed
from polyrank.metrics.ranking import Area
from polyrank.metrics.statistics import Statistic

Prepare = Callable[[Observed], Statistic]
METRICS: dict[str, Prepare] = {
    "auc": Area,
    "log_loss": probabilities.log_loss,
    "normalized_entropy": probabilities.normalized_entropy,
    "calibration_error": probabilities.CalibrationError,
    "calibration": probabilities.calibration,
}


def observed(size: int = 400, seed: int = 0, levels: int = 60) -> Observed:
    random = np.random.default_rng(seed)
    answers = (random.integers(1, levels, size) / levels).astype(np.float32)
    return Observed.of(answers, (random.random(size) < answers).astype(np.float32), random.random(size))


def value(prepare: Prepare, rows: Observed) -> float:
    return prepare(rows).value(np.ones(len(rows)))


def test_log_loss_equals_that_of_sklearn() -> None:
    rows = observed()
    expected = sklearn_metrics.log_loss(rows.labels, rows.answers, sample_weight=rows.weights)
    assert_allclose(value(probabilities.log_loss, rows), expected, rtol=1e-6)


def test_log_loss_of_certain_mistakes_is_that_of_sklearn() -> None:
    answers, labels = np.array([0, 1, 0.5], np.float32), np.array([1, 0, 1], np.float32)
    expected = sklearn_metrics.log_loss(labels, answers)
    assert_allclose(value(probabilities.log_loss, Observed.of(answers, labels)), expected, rtol=1e-6)


def test_normalized_entropy_is_log_loss_beside_that_of_the_mean() -> None:
    rows = observed()
    mean = np.full(len(rows), np.average(rows.labels, weights=rows.weights))
    losses = [
        sklearn_metrics.log_loss(rows.labels, answers, sample_weight=rows.weights) for answers in (rows.answers, mean)
    ]
    assert_allclose(value(probabilities.normalized_entropy, rows), losses[0] / losses[1], rtol=1e-6)


def test_calibration_is_the_ratio_of_the_sums() -> None:
    rows = observed()
    expected = np.average(rows.answers, weights=rows.weights) / np.average(rows.labels, weights=rows.weights)
    assert_allclose(value(probabilities.calibration, rows), expected, rtol=1e-6)


def test_calibration_error_is_the_mean_gap_of_bins_alike() -> None:
    random = np.random.default_rng(0)
    answers = random.permutation(np.linspace(0.01, 0.99, 200).astype(np.float32))
    labels = (random.random(200) < answers).astype(np.float32)
    order = np.argsort(answers).reshape(10, 20)
    gaps = np.abs(answers[order].mean(axis=1, dtype=np.float64) - labels[order].mean(axis=1, dtype=np.float64))
    assert_allclose(value(probabilities.CalibrationError, Observed.of(answers, labels)), gaps.mean(), rtol=1e-9)


def test_equal_answers_are_in_one_bin() -> None:
    answers = np.full(40, 0.5, np.float32)
    labels = np.repeat([1.0, 0.0], [30, 10]).astype(np.float32)
    assert value(probabilities.CalibrationError, Observed.of(answers, labels)) == 0.25


@pytest.mark.parametrize("name", METRICS)
def test_order_of_the_rows_does_not_matter(name: str) -> None:
    rows = observed(levels=8)
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = Observed(rows.answers[order], rows.labels[order], rows.weights[order])
    assert_allclose(value(METRICS[name], shuffled), value(METRICS[name], rows), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("levels", [8, 10**6], ids=["ties", "no ties"])
def test_whole_weights_repeat_rows(name: str, levels: int) -> None:
    rows = observed(levels=levels)
    times = np.random.default_rng(1).integers(1, 4, len(rows))
    weighed = Observed(rows.answers, rows.labels, times.astype(np.float64))
    repeated = Observed(np.repeat(rows.answers, times), np.repeat(rows.labels, times), np.ones(times.sum()))
    assert_allclose(value(METRICS[name], weighed), value(METRICS[name], repeated), rtol=1e-12)


@pytest.mark.parametrize("name", ["auc", "log_loss", "normalized_entropy", "calibration"])
def test_times_act_as_weights(name: str) -> None:
    rows = observed()
    times = np.random.default_rng(1).integers(0, 3, len(rows)).astype(np.float64)
    weighed = Observed.of(rows.answers, rows.labels, rows.weights * times)
    assert_allclose(METRICS[name](rows).value(times), value(METRICS[name], weighed), rtol=1e-12)


ONE_CLASS: dict[str, tuple[float, list[str]]] = {
    "positive": (1.0, ["auc", "normalized_entropy"]),
    "negative": (0.0, ["auc", "normalized_entropy", "calibration"]),
}


@pytest.mark.parametrize("labels", ONE_CLASS)
def test_metrics_of_one_class_that_are_nan(labels: str) -> None:
    label, undefined = ONE_CLASS[labels]
    rows = Observed.of(np.linspace(0.1, 0.9, 7, dtype=np.float32), np.full(7, label, np.float32), np.full(7, 0.3))
    assert [name for name, prepare in METRICS.items() if math.isnan(value(prepare, rows))] == undefined


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_nothing_is_nan(name: str) -> None:
    assert math.isnan(value(METRICS[name], Observed.of(np.empty(0, np.float32), np.empty(0, np.float32))))
