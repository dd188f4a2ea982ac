"""Influences are derivatives of metrics, and their errors those of the bootstrap."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

from polyrank.evaluation.influence import (
    INFLUENCES,
    area_influence,
    class_error,
    influence_interval,
    log_loss_influence,
    logit_interval,
    mean_influence,
    normal_interval,
    num_units,
    root_mean_square_influence,
    share_interval,
    standard_error,
)
from polyrank.metrics.intervals import Bootstrap, resampled
from polyrank.metrics.observed import Observed
from polyrank.metrics.ranking import Area
from polyrank.metrics.registry import metrics_of
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask

STEP = 1e-6


def binary(levels: int, size: int = 60, seed: int = 0) -> Observed:
    """Make weighted rows with so many different answers."""
    random = np.random.default_rng(seed)
    answers = random.integers(0, levels, size) / levels
    labels = (random.random(size) < 0.2 + 0.6 * answers).astype(np.float32)
    return Observed.of(answers.astype(np.float32), labels, random.random(size) + 0.1)


def moved(rows: Observed, row: int) -> NDArray[np.float64]:
    weights = rows.weights.copy()
    weights[row] *= 1 + STEP
    return weights


@pytest.mark.parametrize("levels", [4, 10**6], ids=["ties", "no ties"])
def test_area_influence_is_the_derivative_by_weight(levels: int) -> None:
    rows = binary(levels)
    area = roc_auc_score(rows.labels, rows.answers, sample_weight=rows.weights)
    after = [roc_auc_score(rows.labels, rows.answers, sample_weight=moved(rows, row)) for row in range(len(rows))]
    assert_allclose(area_influence(rows), (np.array(after) - area) / STEP, atol=1e-6)


def test_error_influence_is_the_derivative_by_weight() -> None:
    rows = binary(10**6)
    error = root_mean_squared_error(rows.labels, rows.predicted, sample_weight=rows.weights)
    after = [
        root_mean_squared_error(rows.labels, rows.predicted, sample_weight=moved(rows, row)) for row in range(len(rows))
    ]
    assert_allclose(root_mean_square_influence(rows), (np.array(after) - error) / STEP, atol=1e-6)


def test_class_influence_is_the_derivative_by_weight() -> None:
    random = np.random.default_rng(2)
    answers = random.dirichlet((1, 1, 1), 40)
    rows = Observed.of(answers, random.integers(0, 3, 40).astype(np.float32), random.random(40) + 0.1)
    loss = log_loss(rows.labels, answers, sample_weight=rows.weights)
    after = [log_loss(rows.labels, answers, sample_weight=moved(rows, row)) for row in range(len(rows))]
    assert_allclose(log_loss_influence(rows), (np.array(after) - loss) / STEP, atol=1e-6)


def test_mean_influence_is_the_derivative_by_weight() -> None:
    rows = binary(10**6)
    mean = np.average(rows.predicted, weights=rows.weights)
    after = [np.average(rows.predicted, weights=moved(rows, row)) for row in range(len(rows))]
    assert_allclose(mean_influence(rows.predicted, rows.weights), (np.array(after) - mean) / STEP, atol=1e-6)


@pytest.mark.parametrize("levels", [3, 10**6], ids=["ties", "no ties"])
def test_area_influences_sum_to_zero(levels: int) -> None:
    assert area_influence(binary(levels)).sum() == pytest.approx(0, abs=1e-12)


def test_answers_without_error_have_no_influence() -> None:
    rows = Observed.of(np.ones(3, np.float32), np.ones(3, np.float32))
    assert root_mean_square_influence(rows).tolist() == [0, 0, 0]


TASKS = (
    BinaryTask(name="t", label="t"),
    RegressionTask(name="t", label="t"),
    CountTask(name="t", label="t"),
    OrdinalTask(name="t", label="t", levels=(1, 2)),
    MulticlassTask(name="t", label="t", num_classes=3),
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_first_metric_of_every_task_has_an_influence(task: BinaryTask) -> None:
    assert metrics_of(task, grouped=True)[0].name in INFLUENCES


def clustered(size: int = 4_000, groups: int = 400) -> Observed:
    """Make rows of groups that share a part of their answers and of their labels, and a few rows of none."""
    random = np.random.default_rng(5)
    members = random.integers(0, groups, size)
    shared = random.normal(size=groups)[members]
    answers = shared + random.normal(size=size)
    labels = (shared + random.normal(size=size) + random.normal(size=groups)[members] > 0).astype(np.float32)
    members[:40] = -1
    return Observed.of(answers.astype(np.float32), labels, random.random(size) + 0.5, members)


@pytest.mark.parametrize("task", TASKS[:2], ids=lambda task: type(task).__name__)
def test_error_of_groups_is_that_of_the_bootstrap(task: BinaryTask | RegressionTask) -> None:
    rows, metric = clustered(), metrics_of(task, grouped=True)[0]
    drawn = resampled({metric.name: metric.prepare(rows)}, rows, Bootstrap(resamples=400))[metric.name]
    error = standard_error(INFLUENCES[metric.name][0](rows), rows.groups)
    assert error == pytest.approx(drawn.std(), rel=0.15)


def test_error_of_single_rows_is_that_of_the_bootstrap() -> None:
    rows = clustered()
    alone = Observed(rows.answers, rows.labels, rows.weights)
    drawn = resampled({"auc": Area(alone)}, alone, Bootstrap(resamples=400))["auc"]
    assert standard_error(area_influence(alone), None) == pytest.approx(drawn.std(), rel=0.15)


def components(rows: Observed) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return of each positive row the share of the others below it, and of each other that of positive rows above."""
    hits, misses = rows.predicted[rows.positive], rows.predicted[~rows.positive]
    wins = (hits[:, None] > misses) + (hits[:, None] == misses) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


def unlike_classes(groups: NDArray[np.int64] | None = None) -> Observed:
    random = np.random.default_rng(4)
    labels = np.append(np.ones(10), np.zeros(2_000)).astype(np.float32)
    return Observed.of((random.normal(size=2_010) + labels).astype(np.float32), labels, groups=groups)


def test_error_of_few_positives_is_that_of_delong() -> None:
    rows = unlike_classes()
    of_hits, of_misses = components(rows)
    expected = math.sqrt(of_hits.var(ddof=1) / 10 + of_misses.var(ddof=1) / 2_000)
    assert class_error(area_influence(rows), None, rows.positive) == pytest.approx(expected)


def test_error_of_groups_of_two_classes_is_that_of_obuchowski() -> None:
    groups = np.random.default_rng(6).integers(-1, 50, 2_010)
    rows = unlike_classes(groups)
    of_hits, of_misses = components(rows)
    area, units = of_hits.mean(), np.where(groups < 0, 50 + np.arange(2_010), groups)
    hits = [(of_hits[units[:10] == unit] - area).sum() for unit in np.unique(units)]
    misses = [(of_misses[units[10:] == unit] - area).sum() for unit in np.unique(units)]
    count, with_hits, with_misses = (len(np.unique(each)) for each in (units, units[:10], units[10:]))
    parts = (
        np.dot(hits, hits) / 10**2 * with_hits / (with_hits - 1),
        np.dot(misses, misses) / 2_000**2 * with_misses / (with_misses - 1),
        2 * np.dot(hits, misses) / (10 * 2_000) * count / (count - 1),
    )
    assert class_error(area_influence(rows), rows.groups, rows.positive) == pytest.approx(math.sqrt(sum(parts)))


def test_area_has_the_error_of_its_classes() -> None:
    rows = unlike_classes()
    value, error = 0.8, class_error(area_influence(rows), None, rows.positive)
    assert influence_interval("auc", rows, value, 0.9) == logit_interval(value, error, 0.9)


@pytest.mark.parametrize("value", [0.03, 0.5, 0.9, 0.999])
def test_logit_interval_is_normal_in_log_odds(value: float) -> None:
    expected = expit(logit(value) + np.array([-1, 1]) * norm.ppf(0.95) * 0.02 / (value * (1 - value)))
    assert logit_interval(value, 0.02, 0.9) == pytest.approx(expected)


@pytest.mark.parametrize("answers", [np.arange(40.0), -np.arange(40.0), np.zeros(40)], ids=["best", "worst", "alike"])
def test_area_that_no_row_moves_has_no_interval(answers: NDArray[np.float64]) -> None:
    labels = np.repeat([0, 1], 20).astype(np.float32)
    rows = Observed.of(answers.astype(np.float32), labels, np.random.default_rng(0).random(40))
    value = Area(rows).value(np.ones(40))
    assert influence_interval("auc", rows, value, 0.95) is None


def test_error_of_zero_has_no_interval() -> None:
    rows = Observed.of(np.ones(20, np.float32), np.full(20, 3, np.float32))
    assert influence_interval("rmse", rows, 2.0, 0.95) is None


def test_groups_that_share_labels_err_more_than_rows() -> None:
    rows = clustered()
    assert standard_error(area_influence(rows), rows.groups) > 1.3 * standard_error(area_influence(rows), None)


def test_error_of_a_mean_is_that_of_textbooks() -> None:
    values = np.random.default_rng(1).normal(size=50)
    error = standard_error(mean_influence(values, np.ones(50)), None)
    assert error == pytest.approx(values.std(ddof=1) / math.sqrt(50))


def test_rows_of_no_group_are_units_by_themselves() -> None:
    influence = np.random.default_rng(1).normal(size=30)
    assert standard_error(influence, np.full(30, -1)) == pytest.approx(standard_error(influence, None))


@pytest.mark.parametrize("groups", [None, [7, 7, 7]], ids=["row", "group"])
def test_single_unit_has_no_error(groups: list[int] | None) -> None:
    influence = np.zeros(1 if groups is None else 3)
    assert math.isnan(standard_error(influence, None if groups is None else np.array(groups)))


def test_units_are_groups_and_rows_of_none() -> None:
    groups = np.array([3, 3, -1, 9, -1, 0])
    assert num_units(groups, np.ones(6, bool)) == 5


def test_units_of_some_rows_are_counted() -> None:
    groups = np.array([3, 3, -1, 9, -1, 0])
    assert num_units(groups, np.array([True, True, True, False, False, False])) == 2


def test_units_without_groups_are_rows() -> None:
    assert num_units(None, np.array([True, False, True])) == 2


def test_normal_interval_is_cut_at_its_bounds() -> None:
    assert normal_interval(0.9, 0.1, 0.95, (0.0, 1.0)) == pytest.approx((0.9 - 0.1 * norm.ppf(0.975), 1.0))


def wilson(share: float, count: float, level: float) -> tuple[float, float]:
    z = float(norm.ppf((1 + level) / 2))
    roots = np.roots([1 + z**2 / count, -2 * share - z**2 / count, share**2])  # (p - share)^2 = z^2 p (1 - p) / n
    return (float(min(roots)), float(max(roots)))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_share_interval_is_that_of_wilson(share: float, level: float) -> None:
    error = math.sqrt(share * (1 - share) / 80)
    assert share_interval(share, error, level, rows=100, units=40) == pytest.approx(wilson(share, 80, level))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_one_label_rests_on_all_units(share: float) -> None:
    low, high = share_interval(share, 0.0, 0.95, rows=300, units=100)
    edge = float(norm.ppf(0.975)) ** 2 / (100 + float(norm.ppf(0.975)) ** 2)
    assert (low, high) == pytest.approx((share * (1 - edge), share + (1 - share) * edge), abs=1e-12)


def test_share_rests_on_no_more_rows_than_there_are() -> None:
    assert share_interval(0.5, 1e-9, 0.95, rows=20, units=20) == pytest.approx(wilson(0.5, 20, 0.95))


def test_share_of_unknown_error_rests_on_one_row() -> None:
    assert share_interval(0.5, math.nan, 0.95, rows=20, units=20) == pytest.approx(wilson(0.5, 1, 0.95))


@pytest.mark.parametrize(("share", "exact"), [(1 + 2.0**-52, 1.0), (-(2.0**-60), 0.0)])
def test_share_that_is_rounded_beyond_one_is_one(share: float, exact: float) -> None:
    assert share_interval(share, 1e-17, 0.95, rows=20, units=20) == share_interval(exact, 0.0, 0.95, rows=20, units=20)


@pytest.mark.parametrize("seed", range(8))
def test_classes_that_even_each_other_out_have_no_error(seed: int) -> None:
    hits = np.random.default_rng(seed).normal(size=12)
    groups, positive = np.tile(np.arange(12), 2), np.repeat([True, False], 12)
    assert class_error(np.concatenate([hits, -hits]), groups, positive) == pytest.approx(0, abs=1e-7)
