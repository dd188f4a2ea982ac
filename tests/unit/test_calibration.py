"""Calibration maps against independent fits: what they are, that they keep the order, and when there is none."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from artefacts.runs import EVERY_TASK, ITEM, make_model, make_schema_of
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from reference.networks import array
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from polyrank.auc import auc
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.calibration import MAX_KNOTS, LinearMap, MonotoneMap
from polyrank.schema import Schema
from polyrank.train.calibration import fit_calibration
from polyrank.train.isotonic import SMALLEST_SLOPE, fit_isotonic
from polyrank.train.scaling import fit_platt, fit_temperature

NAN = float("nan")
TASKS = EVERY_TASK[:1] + EVERY_TASK[5:6]
"""A binary task and one of four classes."""

TASKS_OF_ALL = (EVERY_TASK[0], EVERY_TASK[1].replace(', when = "is_click"', ""))


def logits_of(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(-1.0, 2.0, count).astype(np.float32)


def drawn(logits: NDArray[np.float32], slope: float = 0.5, shift: float = 0.3, seed: int = 1) -> NDArray[np.bool_]:
    """Draw labels of which the logits are `slope * logits + shift`."""
    probability = expit(slope * logits.astype(np.float64) + shift)
    drawn: NDArray[np.bool_] = np.random.default_rng(seed).random(len(logits)) < probability
    return drawn


def log_loss(logits: NDArray[np.floating], positive: NDArray[np.bool_], weights: Any = None) -> float:
    losses = np.logaddexp(0.0, logits.astype(np.float64)) - positive * logits.astype(np.float64)
    return float(np.average(losses, weights=weights))


def ranker(method: str, tasks: tuple[str, ...] = TASKS) -> tuple[Schema, MultiTaskRanker]:
    schema = make_schema_of(ITEM, tasks=tasks)
    return schema, make_model(schema, config=ModelConfig(hidden_dims=(4,), calibration=method))  # type: ignore[arg-type]


def labels_of(*columns: Any) -> NDArray[np.float32]:
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def classes_of(logits: NDArray[np.float32], slope: float) -> NDArray[np.int64]:
    rng, shares = np.random.default_rng(5), softmax(slope * logits.astype(np.float64), axis=1)
    return np.array([rng.choice(logits.shape[1], p=row) for row in shares])


WEIGHTS = np.random.default_rng(3).exponential(size=2000)


def test_temperature_is_where_log_loss_is_least() -> None:
    logits, positive = logits_of(2000), drawn(logits_of(2000), 0.5, 0.0)
    found = fit_temperature(np.stack([np.zeros(2000), logits], axis=1), positive.astype(np.int64), WEIGHTS)
    best = minimize_scalar(lambda slope: log_loss(slope * logits, positive, WEIGHTS), bounds=(0, 5), method="bounded")
    assert found == pytest.approx(best.x, abs=1e-4)
    assert found == pytest.approx(0.5, abs=0.06)


def test_temperature_of_classes_is_where_log_loss_is_least() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (2000, 4)).astype(np.float32)
    classes = classes_of(logits, 0.4)

    def loss(slope: float) -> float:
        scaled = slope * logits.astype(np.float64)
        return float(np.average(logsumexp(scaled, axis=1) - scaled[np.arange(2000), classes], weights=WEIGHTS))

    found = fit_temperature(logits, classes, WEIGHTS)
    assert found == pytest.approx(minimize_scalar(loss, bounds=(0, 5), method="bounded").x, abs=1e-4)


@pytest.mark.parametrize("scale", [0.2, 1e4])
def test_temperature_of_logits_far_off_is_found(scale: float) -> None:
    logits, positive = logits_of(2000), drawn(logits_of(2000), 1.0, 0.0)
    wide = np.stack([np.zeros(2000), logits], axis=1)
    plain = fit_temperature(wide, positive.astype(np.int64), np.ones(2000))
    found = fit_temperature(wide * scale, positive.astype(np.int64), np.ones(2000))
    assert plain is not None
    assert found == pytest.approx(plain / scale, rel=1e-6)


def test_blocks_of_rows_give_the_same_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, weights = np.random.default_rng(0).normal(0, 3, (500, 4)), np.ones(500)
    classes = classes_of(logits.astype(np.float32), 0.4)
    whole = fit_temperature(logits, classes, weights)
    monkeypatch.setattr("polyrank.train.scaling.BLOCK_VALUES", 28)
    assert fit_temperature(logits, classes, weights) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_platt_is_logistic_regression_without_penalty(weights: NDArray[np.float64] | None) -> None:
    logits, positive = logits_of(2000), drawn(logits_of(2000))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(logits[:, None].astype(np.float64), positive, sample_weight=weights)
    found = fit_platt(logits, positive, np.ones(2000) if weights is None else weights)
    assert found == pytest.approx((model.coef_[0, 0], model.intercept_[0]), rel=1e-4)


@pytest.mark.parametrize(("scale", "offset"), [(0.1, 0.0), (1e3, 0.0), (1.0, 1e4)])
def test_platt_does_not_depend_on_the_scale_of_logits(scale: float, offset: float) -> None:
    logits, positive = logits_of(2000).astype(np.float64), drawn(logits_of(2000))
    slope, shift = fit_platt(logits, positive, WEIGHTS) or (NAN, NAN)
    found = fit_platt(logits * scale + offset, positive, WEIGHTS)
    assert found == pytest.approx((slope / scale, shift - slope * offset / scale), rel=1e-6)


def test_platt_of_rare_labels_and_wide_logits_converges() -> None:
    logits = logits_of(5000) * 20
    positive = drawn(logits_of(5000), 0.7, -5.0)
    best = minimize(lambda ab: log_loss(ab[0] * logits / 20 + ab[1], positive), [0.0, -6.0], tol=1e-12)
    found = fit_platt(logits, positive, np.ones(5000))
    assert 20 < positive.sum() < 100
    assert found == pytest.approx((best.x[0] / 20, best.x[1]), rel=1e-4)


def isotonic(*arguments: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = fit_isotonic(*arguments)
    assert found is not None
    return found


def test_isotonic_knots_are_the_steps_of_sklearn() -> None:
    logits, positive = logits_of(400), drawn(logits_of(400))
    weights = WEIGHTS[:400]
    knots, values = isotonic(logits, positive, weights)
    model = IsotonicRegression().fit(logits.astype(np.float64), positive.astype(np.float64), sample_weight=weights)
    assert 5 < len(knots) <= MAX_KNOTS
    steps = model.predict(knots)
    inner = (steps > 0.0) & (steps < 1.0)
    assert_allclose(expit(values[inner]), steps[inner], atol=2e-3)
    assert len(np.unique(model.predict(logits))) >= len(knots)


def test_isotonic_steps_hold_their_weighted_share() -> None:
    logits = np.repeat(np.array([-1.0, 0.0, 2.0], np.float32), 10)
    positive = np.arange(30) % 10 < np.repeat([1, 4, 7], 10)
    knots, values = isotonic(logits, positive, np.ones(30))
    assert knots.tolist() == [-1.0, 0.0, 2.0]
    assert_allclose(expit(values), [0.1, 0.4, 0.7], rtol=1e-9)


def test_isotonic_ends_that_are_certain_stay_probabilities() -> None:
    logits = np.repeat(np.array([-1.0, 0.0, 2.0], np.float32), 10)
    positive = np.arange(30) % 10 < np.repeat([0, 5, 10], 10)
    _, values = isotonic(logits, positive, np.ones(30))
    assert_allclose(expit(values), [0.5 / 11, 0.5, 1 - 0.5 / 11], rtol=1e-9)


def test_many_steps_are_joined_to_the_limit_of_knots() -> None:
    rng = np.random.default_rng(0)
    logits = np.sort(rng.normal(0, 3, 200_000).astype(np.float32))
    positive = rng.random(200_000) < expit(0.7 * logits - 1)
    model = IsotonicRegression().fit(logits, positive)
    knots, values = isotonic(logits, positive, np.ones(200_000))
    assert len(np.unique(model.predict(logits))) > MAX_KNOTS
    assert len(knots) == MAX_KNOTS
    assert (np.diff(knots) > 0).all()
    own = MonotoneMap()
    own.load(knots.tolist(), values.tolist(), SMALLEST_SLOPE)
    calibrated = expit(array(own(torch.from_numpy(logits).unsqueeze(1)))[:, 0])
    assert np.abs(calibrated - expit(0.7 * logits.astype(np.float64) - 1)).mean() < 0.01


def test_steps_of_a_steep_line_are_joined() -> None:
    logits = np.repeat(np.array([-1.0, 0.0, 0.01, 2.0], np.float32), 10)
    positive = np.arange(40) % 10 < np.repeat([1, 4, 6, 9], 10)
    knots, values = isotonic(logits, positive, np.ones(40))
    assert_allclose(knots, [-1.0, 0.005, 2.0], rtol=1e-6)
    assert_allclose(expit(values), [0.1, 0.5, 0.9], rtol=1e-9)


def test_logits_that_hardly_differ_have_no_map() -> None:
    logits, positive = logits_of(500) * np.float32(1e-4), drawn(logits_of(500))
    assert fit_isotonic(logits, positive, np.ones(500)) is None
    assert fit_platt(logits, positive, np.ones(500)) is None
    assert fit_temperature(logits[:, None] * np.array([0.0, 1.0]), positive.astype(np.int64), np.ones(500)) is None


def test_monotone_map_is_the_line_through_its_knots() -> None:
    own = MonotoneMap().double()
    knots, values = [-2.0, 0.5, 1.0], [-3.0, 0.0, 0.25]
    own.load(knots, values, 0.5)
    rows = np.array([-4.0, -2.0, -1.0, 0.5, 0.9, 1.0, 3.0])
    expected = np.interp(rows, knots, values) + 0.5 * np.array([-2.0, 0, 0, 0, 0, 0, 2.0])
    assert_allclose(array(own(torch.from_numpy(rows).unsqueeze(1)))[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("own", [MonotoneMap(), LinearMap(has_shift=True), LinearMap(has_shift=False)])
def test_map_without_a_fit_is_the_identity(own: torch.nn.Module) -> None:
    rows = torch.tensor([[-1e30], [-3.0], [0.0], [2.5], [1e30]])
    assert own(rows).tolist() == rows.tolist()


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_order_and_so_auc_stays(method: str) -> None:
    schema, model = ranker(method, TASKS[:1])
    logits = np.concatenate([logits_of(3000) * 2, np.linspace(-12, 12, 500, dtype=np.float32)])
    positive = drawn(logits, 0.3, -1.0)
    fit_calibration(model, logits[:, None], labels_of(positive))
    order = np.sort(np.unique(logits))
    answers = array(model.answers_of(torch.from_numpy(order).unsqueeze(1))[schema.tasks[0].name])[:, 0]
    assert (np.diff(answers) >= 0.0).all()
    calibrated = array(model.answers_of(torch.from_numpy(logits).unsqueeze(1))["click"])[:, 0]
    before = auc(expit(logits.astype(np.float64)), positive)
    assert auc(calibrated, positive) == pytest.approx(before, abs=1e-6)
    assert log_loss(np.log(calibrated / (1 - calibrated)), positive) < log_loss(logits, positive) - 0.05


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_classes_always_have_a_temperature(method: str) -> None:
    _, model = ranker(method)
    logits = np.random.default_rng(0).normal(0, 3, (2000, 5)).astype(np.float32)
    classes = classes_of(logits[:, 1:], 0.4)
    fit_calibration(model, logits, labels_of(drawn(logits[:, 0]), classes))
    slope = fit_temperature(logits[:, 1:], classes, np.ones(2000))
    assert slope is not None
    found = array(model.answers_of(torch.from_numpy(logits))["genre"])
    assert_allclose(found, softmax(slope * logits[:, 1:].astype(np.float64), axis=1), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("method", "maps"), [("none", 0), ("temperature", 3), ("platt", 3), ("isotonic", 3)])
def test_only_probabilities_are_calibrated(method: str, maps: int) -> None:
    _, model = ranker(method, EVERY_TASK)
    assert len(model.calibration.maps) == maps
    assert [model.calibration.of(index) is not None for index in (2, 3, 4, 6)] == [False] * 4


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_row_of_weight_zero_or_without_label_does_not_count(method: str) -> None:
    logits, positive = logits_of(600), drawn(logits_of(600)).astype(np.float32)
    weights = np.ones(600, np.float32)
    weights[400:500] = 0.0
    positive[500:] = np.nan
    (_, one), (_, other) = ranker(method, TASKS[:1]), ranker(method, TASKS[:1])
    fit_calibration(one, logits[:, None], labels_of(positive), weights)
    fit_calibration(other, logits[:400, None], labels_of(positive[:400]))
    for name, value in one.calibration.state_dict().items():
        assert_allclose(array(value), array(other.calibration.state_dict()[name]), rtol=1e-6)


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_weight_counts_a_row_that_often(method: str) -> None:
    logits, positive = logits_of(500), drawn(logits_of(500))
    weights = np.random.default_rng(0).integers(1, 4, 500)
    (_, one), (_, other) = ranker(method, TASKS[:1]), ranker(method, TASKS[:1])
    fit_calibration(one, logits[:, None], labels_of(positive), weights.astype(np.float32))
    fit_calibration(other, logits.repeat(weights)[:, None], labels_of(positive.repeat(weights)))
    rows = torch.linspace(-5, 5, 50).unsqueeze(1)
    found, expected = (array(model.answers_of(rows)["click"]) for model in (one, other))
    assert_allclose(found, expected, rtol=1e-6)


ALL_ALIKE = np.full(100, 0.7, np.float32)
SEPARATED = np.array([-2.0, -1.0, 1.0, 2.0] * 25, np.float32)
RANDOM = np.arange(100) % 2
UNFIT: dict[str, tuple[NDArray[np.float32], Any, str, tuple[str, ...]]] = {
    "unobserved": (
        logits_of(100),
        [NAN] * 100,
        "no validation row has its label",
        ("temperature", "platt", "isotonic"),
    ),
    "one class": (
        logits_of(100),
        [1.0] * 100,
        "its validation labels are of one class",
        ("temperature", "platt", "isotonic"),
    ),
    "constant": (ALL_ALIKE, RANDOM, "its answers are all alike", ("temperature", "platt", "isotonic")),
    "separated": (
        SEPARATED,
        SEPARATED > 0,
        "the slope that fits its validation labels is not in (0, 10]",
        ("temperature", "platt"),
    ),
    "reversed": (
        logits_of(100),
        drawn(logits_of(100), -3.0, -3.0),
        "the slope that fits its validation labels is not in (0, 10]",
        ("temperature", "platt"),
    ),
    "falling": (SEPARATED, SEPARATED < 0, "no rising line fits its validation labels", ("isotonic",)),
}
CASES = [(case, method) for case, (*_, methods) in UNFIT.items() for method in methods]


@pytest.mark.parametrize(("case", "method"), CASES)
def test_task_that_cannot_be_fitted_keeps_its_answers(case: str, method: str, caplog: pytest.LogCaptureFixture) -> None:
    logits, labels, reason, _ = UNFIT[case]
    _, model = ranker(method, TASKS[:1])
    with caplog.at_level(logging.WARNING, "polyrank"):
        fit_calibration(model, logits[:, None], labels_of(labels))
    assert caplog.messages == [f"task 'click' is not calibrated: {reason}"]
    rows = torch.linspace(-5, 5, 50).unsqueeze(1)
    assert_allclose(array(model.answers_of(rows)["click"]), expit(array(rows)), rtol=1e-6)


def test_separated_labels_have_an_isotonic_map() -> None:
    _, model = ranker("isotonic", TASKS[:1])
    fit_calibration(model, SEPARATED[:, None], labels_of(SEPARATED > 0))
    found = array(model.answers_of(torch.tensor([[-1.5], [1.5]]))["click"])[:, 0]
    assert_allclose(found, [0.5 / 51, 1 - 0.5 / 51], rtol=1e-4)


def test_other_tasks_are_fitted_where_one_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    _, model = ranker("temperature")
    logits = np.random.default_rng(0).normal(0, 3, (500, 5)).astype(np.float32)
    fit_calibration(model, logits, labels_of(np.ones(500), classes_of(logits[:, 1:], 0.4)))
    assert caplog.messages == ["task 'click' is not calibrated: its validation labels are of one class"]
    assert float(model.calibration.state_dict()["maps.task_1.slope"]) == pytest.approx(0.4, abs=0.05)


def funnel(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw logits of a click and of a like given it, and labels that the likes are not known of without a click."""
    logits = np.stack([logits_of(count, 7) + 1, logits_of(count)], axis=1)
    click = drawn(logits[:, 0], 1.0, 0.0, seed=4)
    return logits, labels_of(click, np.where(click, drawn(logits[:, 1]), NAN))


def chained(architecture: str, tasks: tuple[str, ...] = EVERY_TASK[:2]) -> MultiTaskRanker:
    config = ModelConfig(architecture=architecture, hidden_dims=(4,), calibration="platt")  # type: ignore[arg-type]
    return make_model(make_schema_of(ITEM, tasks=tasks), config=config)


def scaling_of(model: MultiTaskRanker, index: int) -> tuple[float, float]:
    state = model.calibration.state_dict()
    return float(state[f"maps.task_{index}.slope"]), float(state[f"maps.task_{index}.shift"])


def test_esmm_calibrates_what_is_given_the_task_before() -> None:
    model, (logits, labels) = chained("esmm"), funnel(3000)
    fit_calibration(model, logits, labels)
    clicked = labels[:, 0] == 1
    expected = fit_platt(logits[clicked, 1], labels[clicked, 1] == 1, np.ones(clicked.sum()))
    assert scaling_of(model, 1) == pytest.approx(expected, rel=1e-5)


def test_esmm_without_condition_calibrates_the_product_over_all_rows() -> None:
    model, (logits, labels) = chained("esmm", TASKS_OF_ALL), funnel(3000)
    fit_calibration(model, logits, labels)
    product = expit(logits.astype(np.float64)).prod(axis=1)
    expected = fit_platt(np.log(product) - np.log1p(-product), labels[:, 1] == 1, np.ones(3000))
    assert scaling_of(model, 1) == pytest.approx(expected, rel=1e-4)


def test_aitm_calibrates_over_all_rows_and_divides_then() -> None:
    model, (logits, labels) = chained("aitm"), funnel(3000)
    logits[:, 1] = logits.min(axis=1) - 1
    fit_calibration(model, logits, labels)
    slope, shift = scaling_of(model, 1)
    assert (slope, shift) == pytest.approx(fit_platt(logits[:, 1], labels[:, 1] == 1, np.ones(3000)), rel=1e-5)
    answers = model.answers_of(torch.from_numpy(logits))
    ratio = expit(slope * logits[:, 1].astype(np.float64) + shift) / array(answers["click"])[:, 0]
    assert_allclose(array(answers["like"])[:, 0], ratio.clip(max=1.0), rtol=1e-4)
