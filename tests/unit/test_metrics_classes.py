import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sklearn_metrics

from polyrank.metrics import classes
from polyrank.metrics.observed import Observed
from polyrank.metrics.statistics import Statistic

METRICS: dict[str, Callable[[Observed], Statistic]] = {
    "log_loss": classes.class_log_loss,
    "accuracy": classes.class_accuracy,
    "macro_auc": classes.MacroArea,
}


def observed(num_classes: int = 4, size: int = 400) -> Observed:
    random = np.random.default_rng(0)
    logits = random.integers(-3, 4, (size, num_classes)) / 2
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (answers.cumsum(axis=1) < random.random((size, 1))).sum(axis=1)
    return Observed.of(answers.astype(np.float32), labels.astype(np.float32), random.random(size))


def once(statistic: Statistic, rows: Observed) -> float:
    return statistic.value(np.ones(len(rows)))


def test_log_loss_equals_that_of_sklearn() -> None:
    rows = observed()
    expected = sklearn_metrics.log_loss(rows.labels, rows.answers, sample_weight=rows.weights)
    assert_allclose(once(classes.class_log_loss(rows), rows), expected, rtol=1e-6)


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    rows = Observed.of(np.array([[1, 0, 0]], np.float32), np.array([2], np.float32))
    assert once(classes.class_log_loss(rows), rows) == pytest.approx(23 * math.log(2))


def test_accuracy_is_that_of_the_likeliest_class() -> None:
    rows = observed()
    expected = sklearn_metrics.accuracy_score(rows.labels, rows.answers.argmax(axis=1), sample_weight=rows.weights)
    assert_allclose(once(classes.class_accuracy(rows), rows), expected, rtol=1e-12)


def test_macro_auc_equals_that_of_sklearn() -> None:
    rows = observed()
    labels = rows.labels[:, None] == np.arange(4)
    expected = sklearn_metrics.roc_auc_score(labels, rows.answers, average="macro", sample_weight=rows.weights)
    assert_allclose(once(classes.MacroArea(rows), rows), expected, rtol=1e-12)


def test_classes_without_a_row_are_skipped() -> None:
    rows = observed()
    wider = Observed(np.insert(rows.answers, 2, 0.0, axis=1), rows.labels + (rows.labels >= 2), rows.weights)
    assert classes.MacroArea(wider).counts == {"classes": 4, "skipped_classes": 1}
    assert_allclose(once(classes.MacroArea(wider), rows), once(classes.MacroArea(rows), rows), rtol=1e-12)


def test_many_answers_compare_with_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = observed(size=20_000)
    exact = once(classes.MacroArea(rows), rows)
    monkeypatch.setattr(classes, "MAX_SORTED", 4 * 5_000)
    sampled = [once(classes.MacroArea(rows), rows) for _ in range(2)]
    assert sampled[0] == sampled[1] != exact
    assert_allclose(sampled[0], exact, atol=0.01)


@pytest.mark.parametrize("name", METRICS)
def test_whole_weights_repeat_rows(name: str) -> None:
    rows = observed()
    times = np.random.default_rng(1).integers(1, 4, len(rows))
    weighed = Observed(rows.answers, rows.labels, times.astype(np.float64))
    repeated = Observed(np.repeat(rows.answers, times, axis=0), np.repeat(rows.labels, times), np.ones(times.sum()))
    assert_allclose(once(METRICS[name](weighed), weighed), once(METRICS[name](repeated), repeated), rtol=1e-12)


def test_area_of_a_single_class_is_nan() -> None:
    rows = Observed.of(np.full((3, 2), 0.5, np.float32), np.ones(3, np.float32))
    assert math.isnan(once(classes.MacroArea(rows), rows))


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_nothing_is_nan(name: str) -> None:
    rows = Observed.of(np.empty((0, 3), np.float32), np.empty(0, np.float32))
    assert math.isnan(once(METRICS[name](rows), rows))
