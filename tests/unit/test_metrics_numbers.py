import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sklearn_metrics

from polyrank.metrics import errors, levels
from polyrank.metrics.observed import Observed
from polyrank.metrics.pairs import OrderedPairs
from polyrank.metrics.ranking import Area
from polyrank.metrics.statistics import Statistic

STARS = (1.0, 2.0, 3.5, 4.0, 5.0)
Prepare = Callable[[Observed], Statistic]
METRICS: dict[str, Prepare] = {
    "rmse": errors.rmse,
    "mae": errors.mae,
    "rmsle": errors.rmsle,
    "poisson_deviance": errors.poisson_deviance,
    "quadratic_kappa": lambda rows: levels.quadratic_kappa(rows, STARS),
    "accuracy": lambda rows: levels.level_accuracy(rows, STARS),
    "xauc": OrderedPairs,
}
SKLEARN: dict[str, Callable[..., float]] = {
    "rmse": sklearn_metrics.root_mean_squared_error,
    "mae": sklearn_metrics.mean_absolute_error,
    "rmsle": sklearn_metrics.root_mean_squared_log_error,
    "poisson_deviance": sklearn_metrics.mean_poisson_deviance,
}


def observed(size: int = 300, seed: int = 0, values: int = 9) -> Observed:
    random = np.random.default_rng(seed)
    labels = np.append(random.integers(0, values, size - 2), [0, values - 1])
    answers = np.maximum(0.5, labels + random.integers(-2, 3, size) / 2).astype(np.float32)
    return Observed.of(answers, labels.astype(np.float32), random.random(size))


def stars(size: int = 300) -> Observed:
    random = np.random.default_rng(0)
    labels = np.array(STARS, np.float32)[random.integers(0, 5, size)]
    return Observed.of(labels + random.normal(size=size).astype(np.float32), labels, random.random(size))


def value(prepare: Prepare, rows: Observed) -> float:
    return prepare(rows).value(np.ones(len(rows)))


@pytest.mark.parametrize("name", SKLEARN)
def test_error_equals_that_of_sklearn(name: str) -> None:
    rows = observed()
    expected = SKLEARN[name](rows.labels, rows.predicted, sample_weight=rows.weights)
    assert_allclose(value(METRICS[name], rows), expected, rtol=1e-12)


def test_deviance_of_an_answer_of_zero_is_finite() -> None:
    rows = Observed.of(np.zeros(2, np.float32), np.array([0, 3], np.float32))
    assert value(errors.poisson_deviance, rows) == pytest.approx(3 * (math.log(3) - math.log(2.0**-126)) - 3, rel=1e-9)


def test_answer_below_zero_counts_as_zero_on_a_log_scale() -> None:
    rows = Observed.of(np.array([-3.0], np.float32), np.array([1.0], np.float32))
    assert value(errors.rmsle, rows) == pytest.approx(math.log(2))


def nearest(rows: Observed) -> list[int]:
    return [int(np.argmin(np.abs(np.array(STARS) - answer))) for answer in rows.answers]


def test_kappa_of_the_nearest_levels_equals_that_of_sklearn() -> None:
    rows = stars()
    expected = sklearn_metrics.cohen_kappa_score(
        [STARS.index(label) for label in rows.labels], nearest(rows), weights="quadratic", sample_weight=rows.weights
    )
    assert_allclose(value(METRICS["quadratic_kappa"], rows), expected, rtol=1e-12)


def test_accuracy_is_that_of_the_nearest_level() -> None:
    rows = stars()
    expected = sklearn_metrics.accuracy_score(
        [STARS.index(label) for label in rows.labels], nearest(rows), sample_weight=rows.weights
    )
    assert_allclose(value(METRICS["accuracy"], rows), expected, rtol=1e-12)


@pytest.mark.parametrize(("answer", "level"), [(-7, 1), (1.5, 2), (2.74, 2), (2.76, 3.5), (99, 5)])
def test_answer_is_its_nearest_level(answer: float, level: float) -> None:
    rows = Observed.of(np.array([answer], np.float32), np.array([level], np.float32))
    assert value(METRICS["accuracy"], rows) == 1.0


def test_level_that_float32_rounds_is_found() -> None:
    rows = Observed.of(np.array([0.1, 0.7], np.float32), np.array([0.1, 0.7], np.float32))
    assert value(lambda rows: levels.quadratic_kappa(rows, (0.1, 0.4, 0.7)), rows) == 1.0


def share_of_pairs(rows: Observed) -> float:
    """Look at every pair."""
    weights = np.outer(rows.weights, rows.weights) * (rows.labels[:, None] > rows.labels)
    gaps = rows.predicted[:, None] - rows.predicted
    return float((weights * ((gaps > 0) + (gaps == 0) / 2)).sum() / weights.sum())


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 8, 9, 31, 64, 65, 300])
@pytest.mark.parametrize("values", [2, 9, 10**6], ids=["many ties", "some ties", "no ties"])
def test_xauc_is_the_share_of_pairs_in_order(size: int, values: int) -> None:
    rows = observed(size, seed=size + 1, values=values)
    assert_allclose(value(OrderedPairs, rows), share_of_pairs(rows), rtol=1e-12)


def test_xauc_of_two_labels_is_the_area() -> None:
    rows = observed(values=2)
    assert_allclose(value(OrderedPairs, rows), value(Area, rows), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_whole_weights_repeat_rows(name: str) -> None:
    rows = stars()
    answers = np.maximum(rows.answers, 0.1)
    times = np.random.default_rng(1).integers(1, 4, len(rows))
    weighed = Observed(answers, rows.labels, times.astype(np.float64))
    repeated = Observed(np.repeat(answers, times), np.repeat(rows.labels, times), np.ones(times.sum()))
    assert_allclose(value(METRICS[name], weighed), value(METRICS[name], repeated), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_times_act_as_weights(name: str) -> None:
    rows = stars()
    times = np.random.default_rng(1).integers(0, 3, len(rows)).astype(np.float64)
    weighed = Observed.of(rows.answers, rows.labels, rows.weights * times)
    assert_allclose(METRICS[name](rows).value(times), value(METRICS[name], weighed), rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_nothing_is_nan(name: str) -> None:
    assert math.isnan(value(METRICS[name], Observed.of(np.empty(0, np.float32), np.empty(0, np.float32))))


def test_order_of_equal_labels_is_nan() -> None:
    rows = Observed.of(np.array([1, 2, 3], np.float32), np.full(3, 4.0, np.float32), np.full(3, 0.1))
    assert math.isnan(value(OrderedPairs, rows))


@pytest.mark.parametrize("level", STARS)
def test_agreement_on_one_level_is_nan(level: float) -> None:
    rows = Observed.of(np.full(3, level, np.float32), np.full(3, level, np.float32), np.array([0.1, 0.2, 0.7]))
    assert math.isnan(value(METRICS["quadratic_kappa"], rows))
