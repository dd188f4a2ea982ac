import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.metrics import Bootstrap, Evaluation, difference_intervals, evaluate
from polyrank.metrics.errors import rmse
from polyrank.metrics.intervals import draws, percentile_interval, resampled
from polyrank.metrics.observed import Observed
from polyrank.metrics.ranking import Area
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

SCHEMA = Schema(
    name="toy",
    features=(NumericFeature(name="x"),),
    tasks=(BinaryTask(name="click", label="c"), RegressionTask(name="rating", label="r")),
)
Answers = dict[str, NDArray[np.float32]]


def normal(size: int, seed: int = 0, shared: float = 0.0) -> tuple[Answers, NDArray[np.float32], NDArray[np.int64]]:
    """Make answers, labels whose errors are normal, and groups of 20 rows that share a part of them."""
    random = np.random.default_rng(seed)
    groups = np.arange(size) // 20
    errors = random.normal(size=size) + shared * random.normal(size=size)[groups]
    answers = random.random(size).astype(np.float32)
    click = (random.random(size) < answers).astype(np.float32)
    labels = np.stack([click, answers + errors], axis=1).astype(np.float32)
    return {"click": answers, "rating": answers}, labels, groups


def interval(evaluation: Evaluation, task: str, name: str) -> NDArray[np.float64]:
    return np.array(evaluation.intervals[task][name])


def test_rows_are_drawn_as_often_as_there_are() -> None:
    rows = Observed.of(np.zeros(50, np.float32), np.zeros(50, np.float32))
    times = np.array(list(draws(rows, Bootstrap(resamples=4000))))
    assert_array_equal(times.sum(axis=1), 50)
    assert_allclose(times.mean(axis=0), 1, atol=5 / math.sqrt(4000))
    assert_allclose(times.var(axis=0), 1 - 1 / 50, atol=0.15)


def test_groups_are_drawn_whole_and_rows_without_one_alone() -> None:
    groups = np.array([7, 7, 7, 3, 3, -1, -1, -1])
    rows = Observed.of(np.zeros(8, np.float32), np.zeros(8, np.float32), groups=groups)
    times = np.array(list(draws(rows, Bootstrap(resamples=500))))
    units = times[:, [0, 3, 5, 6, 7]]
    assert_array_equal(units.sum(axis=1), 5)
    assert_array_equal(times, units[:, [0, 0, 0, 1, 1, 2, 3, 4]])
    assert len(np.unique(units, axis=0)) > 50


def test_values_are_those_of_the_drawn_rows() -> None:
    answers, labels, _ = normal(80)
    rows = Observed.of(answers["click"], labels[:, 0])
    bootstrap = Bootstrap(resamples=5)
    expected = [
        roc_auc_score(np.repeat(rows.labels, times), np.repeat(rows.answers, times))
        for times in (times.astype(int) for times in draws(rows, bootstrap))
    ]
    assert_allclose(resampled({"auc": Area(rows)}, rows, bootstrap)["auc"], expected, rtol=1e-12)


@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_nothing(threads: int) -> None:
    answers, labels, groups = normal(200)
    rows = Observed.of(answers["click"], labels[:, 0], groups=groups)
    one, several = (
        resampled({"auc": Area(rows)}, rows, Bootstrap(resamples=20, threads=number))["auc"] for number in (1, threads)
    )
    assert_array_equal(several, one)


def test_interval_is_the_middle_of_the_values() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1001.0))
    assert percentile_interval(values, 0.9) == pytest.approx((50, 950))
    assert percentile_interval(np.append(values, [math.nan] * 99), 0.9) == pytest.approx((50, 950))


def test_interval_is_that_of_the_normal_distribution() -> None:
    answers, labels, _ = normal(4000)
    evaluation = evaluate(SCHEMA, answers, labels, intervals=Bootstrap(resamples=2000))
    value = evaluation.values["rating"]["rmse"]
    half = 1.96 / math.sqrt(2 * 4000)  # the standard error of a standard deviation of 1
    assert_allclose(interval(evaluation, "rating", "rmse") - value, [-half, half], atol=0.1 * half)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(400):
        answers, labels, groups = normal(600, seed, shared=1.0)
        evaluation = evaluate(SCHEMA, answers, labels, groups, intervals=Bootstrap(level=0.9, headline_only=True))
        low, high = interval(evaluation, "rating", "rmse")
        held.append(low <= math.sqrt(2) <= high)
    assert 0.8 < np.mean(held) < 0.95


def test_groups_widen_the_interval_of_errors_that_they_share() -> None:
    answers, labels, groups = normal(4000, shared=2.0)
    by_row, by_group = (
        np.ptp(interval(evaluate(SCHEMA, answers, labels, own, intervals=Bootstrap()), "rating", "rmse"))
        for own in (None, groups)
    )
    assert by_group > 2 * by_row


def test_level_widens_the_interval() -> None:
    answers, labels, _ = normal(200)
    low, high = (
        interval(evaluate(SCHEMA, answers, labels, intervals=Bootstrap(level=level)), "click", "auc")
        for level in (0.5, 0.99)
    )
    assert high[0] < low[0] < low[1] < high[1]


def test_intervals_follow_the_seed() -> None:
    answers, labels, groups = normal(200)
    first, second, other = (
        evaluate(SCHEMA, answers, labels, groups, intervals=Bootstrap(seed=seed)).intervals for seed in (1, 1, 2)
    )
    assert first == second != other


def test_every_metric_has_an_interval_around_it() -> None:
    answers, labels, groups = normal(400)
    weights = np.random.default_rng(0).random(400).astype(np.float32)
    evaluation = evaluate(SCHEMA, answers, labels, groups, weights, intervals=Bootstrap())
    assert evaluation.intervals.keys() == evaluation.values.keys()
    assert evaluation.intervals["click"].keys() == evaluation.values["click"].keys()
    biased = evaluation.intervals["click"].pop("calibration_error")  # noise alone makes it larger
    assert biased[0] < biased[1]
    assert all(
        low < evaluation.values[task][name] < high
        for task, intervals in evaluation.intervals.items()
        for name, (low, high) in intervals.items()
    )


def test_headline_can_have_intervals_alone() -> None:
    answers, labels, groups = normal(100)
    intervals = evaluate(SCHEMA, answers, labels, groups, intervals=Bootstrap(headline_only=True)).intervals
    assert {task: list(found) for task, found in intervals.items()} == {"click": ["auc", "gauc"], "rating": ["rmse"]}


def test_interval_of_an_undefined_metric_is_nan() -> None:
    answers, labels, _ = normal(30)
    labels[:, 0], labels[:, 1] = 1, np.nan
    evaluation = evaluate(SCHEMA, answers, labels, intervals=Bootstrap())
    assert np.isnan([interval(evaluation, "click", "auc"), interval(evaluation, "rating", "rmse")]).all()


def test_resamples_that_leave_a_metric_undefined_do_not_count() -> None:
    rows = Observed.of(np.array([0.2, 0.4, 0.6], np.float32), np.array([0, 0, 1], np.float32))
    values = resampled({"auc": Area(rows)}, rows, Bootstrap())["auc"]
    assert 0 < np.isnan(values).sum() < 200
    assert percentile_interval(values, 0.95) == (1.0, 1.0)


def test_difference_is_that_of_the_values() -> None:
    answers, labels, groups = normal(300)
    others = {name: np.sqrt(values) for name, values in answers.items()}
    found = difference_intervals(SCHEMA, (answers, others), labels, groups, intervals=Bootstrap())
    first, second = (evaluate(SCHEMA, own, labels, groups).values for own in (answers, others))
    assert {task: list(own) for task, own in found.items()} == {task: list(own) for task, own in first.items()}
    assert found["rating"]["rmse"].values == (first["rating"]["rmse"], second["rating"]["rmse"])
    assert found["rating"]["rmse"].difference == second["rating"]["rmse"] - first["rating"]["rmse"]


def test_difference_is_taken_over_the_same_rows() -> None:
    answers, labels, _ = normal(500)
    others = answers | {"rating": answers["rating"] + np.float32(0.1)}
    bootstrap = Bootstrap(resamples=300)
    found = difference_intervals(SCHEMA, (answers, others), labels, intervals=bootstrap)
    rows, shifted = (Observed.of(own["rating"], labels[:, 1]) for own in (answers, others))
    changes = [rmse(shifted).value(times) - rmse(rows).value(times) for times in draws(rows, bootstrap)]
    assert found["rating"]["rmse"].interval == pytest.approx(tuple(np.quantile(changes, [0.025, 0.975])))


def test_equal_answers_differ_by_nothing() -> None:
    answers, labels, groups = normal(200)
    found = difference_intervals(SCHEMA, (answers, answers), labels, groups, intervals=Bootstrap(headline_only=True))
    assert {task: list(own) for task, own in found.items()} == {"click": ["auc", "gauc"], "rating": ["rmse"]}
    assert {own.interval for differences in found.values() for own in differences.values()} == {(0.0, 0.0)}


def test_small_difference_is_told_where_intervals_overlap() -> None:
    answers, labels, _ = normal(2000)
    random = np.random.default_rng(1)
    noisy = answers | {"rating": answers["rating"] + 0.3 * random.normal(size=2000).astype(np.float32)}
    found = difference_intervals(SCHEMA, (answers, noisy), labels, intervals=Bootstrap())["rating"]["rmse"]
    first, second = (
        interval(evaluate(SCHEMA, own, labels, intervals=Bootstrap()), "rating", "rmse") for own in (answers, noisy)
    )
    assert found.interval[0] > 0
    assert first[1] > second[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"level": 1.0}, r"^level must be in \(0, 1\), got 1.0$"),
        ({"resamples": 0}, "^resamples must be 1 or above, got 0$"),
        ({"seed": -1}, "^seed must be 0 or above, got -1$"),
        ({"threads": 0}, "^threads must be 1 or above, got 0$"),
    ],
)
def test_wrong_bootstrap_is_rejected(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Bootstrap(**wrong)  # type: ignore[arg-type]
