"""Losses and answers of every kind of task against independent formulas."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from reference.networks import array
from scipy import stats
from scipy.special import expit
from sklearn.metrics import log_loss
from torch import Tensor

from polyrank.models.heads import MAX_LOG_ANSWER, answer, level_probabilities, losses, row_losses, split
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

NAN = float("nan")
CLICK = BinaryTask(name="click", label="is_click")
RATING = RegressionTask(name="rating", label="rating")
WATCH = RegressionTask(name="watch_s", label="watch_s", transform="log1p")
ROBUST = RegressionTask(name="robust", label="rating", loss="huber", huber_delta=1.5)
STARS = OrdinalTask(name="stars", label="stars", levels=(1.0, 2.5, 3.0, 10.0))
GENRE = MulticlassTask(name="genre", label="genre", num_classes=3)
PLAYS = CountTask(name="plays", label="plays")
TASKS: dict[str, Task] = {
    "binary": CLICK,
    "regression": RATING,
    "log1p": WATCH,
    "huber": ROBUST,
    "ordinal": STARS,
    "multiclass": GENRE,
    "count": PLAYS,
}
EVERY_KIND = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def logits_of(task: Task, count: int, scale: float = 1.0) -> Tensor:
    """Draw logits (B, num_logits), those of levels in their order."""
    drawn = torch.randn(count, task.num_logits, generator=torch.Generator().manual_seed(1)) * scale
    return drawn.sort(dim=1, descending=True).values if isinstance(task, OrdinalTask) else drawn


def loss(task: Task, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean loss of one task, a scalar, of logits (B, num_logits) and labels (B,)."""
    return losses([task], logits, label.unsqueeze(1), weight)[0]


def losses_of(task: Task, logits: Any, labels: Any) -> NDArray[np.float64]:
    return array(row_losses(task, torch.tensor(logits, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)))


def gradient(task: Task, logits: Any, labels: Any, weight: Any = None) -> NDArray[np.float64]:
    """Return d loss / d logits, float32 arithmetic."""
    tensor = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    weights = None if weight is None else torch.tensor(weight)
    loss(task, tensor, torch.tensor(labels, dtype=torch.float32), weights).backward()  # type: ignore[no-untyped-call]
    return array(tensor.grad)


def test_binary_loss_is_log_loss() -> None:
    logits, labels = np.array([0.3, -2.0, 5.0]), np.array([1.0, 0.0, 0.0])
    expected = [-np.log(expit(0.3)), -np.log(1 - expit(-2.0)), -np.log(1 - expit(5.0))]
    assert_allclose(losses_of(CLICK, logits[:, None], labels), expected, rtol=1e-12)


def test_regression_loss_is_squared_error() -> None:
    assert losses_of(RATING, [[1.0], [2.0]], [3.0, 2.5]).tolist() == [4.0, 0.25]


def test_logged_loss_is_squared_error_of_log1p() -> None:
    expected = [(1.0 - np.log(4.0)) ** 2, 0.25]
    assert_allclose(losses_of(WATCH, [[1.0], [0.5]], [3.0, 0.0]), expected, rtol=1e-12)


def test_huber_loss_is_squared_near_and_linear_beyond_delta() -> None:
    expected = [0.5 * 1.4**2, 0.5 * 1.5**2, 1.5 * (9.0 - 0.75)]
    assert_allclose(losses_of(ROBUST, [[1.4], [-1.5], [9.0]], [0.0, 0.0, 0.0]), expected, rtol=1e-12)


def test_huber_loss_under_log1p_is_of_logged_labels() -> None:
    task = RegressionTask(name="watch_s", label="watch_s", transform="log1p", loss="huber")
    assert_allclose(losses_of(task, [[0.0]], [9.0]), [np.log(10.0) - 0.5], rtol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 3.0, 8.0])
def test_ordinal_loss_is_the_log_of_a_difference_of_probabilities(scale: float) -> None:
    logits = logits_of(STARS, 400, scale).double().numpy()
    places = np.random.default_rng(0).integers(0, 4, 400)
    above = np.concatenate([np.ones((400, 1)), expit(logits), np.zeros((400, 1))], axis=1)
    naive = np.take_along_axis(above[:, :-1] - above[:, 1:], places[:, None], axis=1)[:, 0]
    found = losses_of(STARS, logits, np.array(STARS.levels)[places])
    likely = naive > 1e-3  # below, the difference of two near 1 is not exact itself, and gaps are near the smallest
    assert likely.sum() > 100
    assert_allclose(found[likely], -np.log(naive[likely]), rtol=2e-3)


def test_ordinal_loss_of_wide_gaps_is_exact() -> None:
    logits = np.array([[4.0, 1.0, -2.0]]).repeat(4, axis=0)
    above = expit([4.0, 1.0, -2.0])
    expected = [1 - above[0], above[0] - above[1], above[1] - above[2], above[2]]
    assert_allclose(losses_of(STARS, logits, STARS.levels), -np.log(expected), rtol=1e-6)


def test_ordinal_likelihoods_of_all_levels_add_up_to_one() -> None:
    logits = logits_of(STARS, 50, 2.0).double()
    total = sum(np.exp(-losses_of(STARS, logits.numpy(), [level] * 50)) for level in STARS.levels)
    assert_allclose(total, 1.0, rtol=1e-4)


def test_ordinal_task_of_two_levels_is_binary() -> None:
    task = OrdinalTask(name="up", label="up", levels=(0.0, 1.0))
    logits, labels = np.array([[0.3], [-2.0]]), [1.0, 0.0]
    assert_allclose(losses_of(task, logits, labels), losses_of(CLICK, logits, labels), rtol=1e-12)


def test_thresholds_of_one_place_are_parted_by_the_gradient() -> None:
    found = gradient(STARS, [[1.0, 1.0, -5.0]], [2.5])
    assert found[0, 0] < -1e3
    assert found[0, 1] > 1e3
    assert np.isfinite(found).all()


def test_multiclass_loss_is_that_of_sklearn() -> None:
    logits, labels = logits_of(GENRE, 60, 2.0).double(), np.random.default_rng(0).integers(0, 3, 60)
    probabilities = array(answer(GENRE, logits))
    expected = log_loss(labels, probabilities, labels=[0, 1, 2])
    assert losses_of(GENRE, logits.numpy(), labels).mean() == pytest.approx(expected, rel=1e-9)


def test_count_loss_is_half_the_poisson_deviance() -> None:
    logits, labels = np.linspace(-5, 4, 30), np.random.default_rng(0).poisson(3.0, 30)
    expected = stats.poisson.logpmf(labels, labels) - stats.poisson.logpmf(labels, np.exp(logits))
    assert_allclose(losses_of(PLAYS, logits[:, None], labels), expected, rtol=1e-9, atol=1e-12)


def test_count_loss_of_a_good_answer_is_about_0_in_float32() -> None:
    labels = torch.tensor([0.0, 1e-30, 0.5, 1.0, 3.0, 1e6, 1e12])
    logits = labels.clamp(min=1e-30).log().unsqueeze(1)
    found = array(row_losses(PLAYS, logits, labels))
    assert_allclose(found, 0.0, atol=1e-7)


def test_count_above_the_cap_goes_on_along_the_tangent() -> None:
    found = losses_of(PLAYS, [[MAX_LOG_ANSWER], [MAX_LOG_ANSWER + 2.0]], [0.0, 0.0])
    assert_allclose(found, np.exp(MAX_LOG_ANSWER) * np.array([1.0, 3.0]), rtol=1e-12)
    assert gradient(PLAYS, [[100.0]], [5.0])[0, 0] > 1e12


@EVERY_KIND
@pytest.mark.parametrize("size", [50.0, 1e3, 1e6])
def test_extreme_logits_have_finite_losses_and_gradients(task: Task, size: float) -> None:
    labels = list(task.levels) if isinstance(task, OrdinalTask) else [0.0, 1.0]
    rows = [(sign * size * np.linspace(1, -1, task.num_logits + 1)[:-1], label) for sign in (1, -1) for label in labels]
    rows += [(np.full(task.num_logits, sign * size), label) for sign in (1, -1) for label in labels]
    logits, targets = np.stack([row for row, _ in rows]), [label for _, label in rows]
    logits = -np.sort(-logits, axis=1) if isinstance(task, OrdinalTask) else logits
    assert np.isfinite(array(row_losses(task, torch.tensor(logits).float(), torch.tensor(targets)))).all()
    assert np.isfinite(gradient(task, logits, targets)).all()
    assert np.isfinite(array(answer(task, torch.tensor(logits).float()))).all()


@EVERY_KIND
def test_loss_without_observed_labels_has_zero_gradient(task: Task) -> None:
    logits = logits_of(task, 2)
    assert float(loss(task, logits, torch.tensor([NAN, NAN]))) == 0.0
    assert gradient(task, logits.numpy(), [NAN, NAN]).tolist() == [[0.0] * task.num_logits] * 2


@EVERY_KIND
def test_unobserved_label_gives_no_gradient(task: Task) -> None:
    found = gradient(task, logits_of(task, 2).numpy(), [1.0, NAN])
    assert np.abs(found[0]).sum() > 0.0
    assert found[1].tolist() == [0.0] * task.num_logits


@EVERY_KIND
def test_unobserved_row_of_infinite_loss_does_not_count(task: Task) -> None:
    logits = np.stack([logits_of(task, 1)[0].numpy(), np.full(task.num_logits, 1e25, np.float32)])
    alone = loss(task, torch.tensor(logits[:1]), torch.tensor([1.0]))
    assert float(loss(task, torch.tensor(logits), torch.tensor([1.0, NAN]))) == float(alone)
    assert np.isfinite(gradient(task, logits, [1.0, NAN])).all()


@EVERY_KIND
def test_loss_is_the_mean_of_observed_rows(task: Task) -> None:
    logits, labels = logits_of(task, 3), torch.tensor([1.0, NAN, 1.0])
    expected = array(row_losses(task, logits[[0, 2]], torch.tensor([1.0, 1.0]))).mean()
    assert float(loss(task, logits, labels)) == pytest.approx(expected, rel=1e-6)


@EVERY_KIND
def test_weight_counts_a_row_that_often(task: Task) -> None:
    logits, label = logits_of(task, 3), torch.tensor([1.0, 1.0, NAN])
    weighed = loss(task, logits, label, torch.tensor([2.0, 0.0, 1.0]))
    assert_allclose(float(weighed), float(loss(task, logits[[0, 0]], label[[0, 0]])), rtol=1e-6)
    assert float(loss(task, logits, label, torch.ones(3))) == float(loss(task, logits, label))


def answered(task: Task, *logits: float) -> list[float]:
    found: list[float] = array(answer(task, torch.tensor([logits], dtype=torch.float64)))[0].tolist()
    return found


def test_binary_answer_is_a_probability() -> None:
    assert answered(CLICK, 1.5) == [pytest.approx(1 / (1 + np.exp(-1.5)), rel=1e-12)]


def test_regression_answer_is_in_label_units() -> None:
    assert answered(RATING, -1.5) == [-1.5]
    assert answered(ROBUST, 99.5) == [99.5]
    assert answered(WATCH, 1.5) == [pytest.approx(np.exp(1.5) - 1, rel=1e-12)]


def test_logged_answer_is_neither_negative_nor_infinite() -> None:
    assert answered(WATCH, -3.0) == [0.0]
    assert answered(WATCH, 1e6) == [pytest.approx(np.expm1(30.0), rel=1e-12)]


def test_ordinal_answer_is_the_expected_level() -> None:
    above = expit([2.0, 0.5, -3.0])
    probabilities = -np.diff([1.0, *above, 0.0])
    assert answered(STARS, 2.0, 0.5, -3.0) == [pytest.approx(probabilities @ STARS.levels, rel=1e-6)]


def test_ordinal_answer_stays_between_the_levels() -> None:
    assert answered(STARS, 1e4, 1e4, 1e4) == [pytest.approx(10.0)]
    assert answered(STARS, -1e4, -1e4, -1e4) == [1.0]


def test_level_probabilities_are_differences_of_sigmoids() -> None:
    logits = logits_of(STARS, 50, 3.0)
    above = np.c_[np.ones(50), expit(array(logits).astype(np.float64)), np.zeros(50)]
    assert_allclose(array(level_probabilities(logits)), -np.diff(above, axis=1), atol=1e-6)


def test_level_probabilities_give_the_answer() -> None:
    logits = logits_of(STARS, 50, 3.0)
    expected = array(level_probabilities(logits)) @ np.array(STARS.levels)
    assert_allclose(array(answer(STARS, logits))[:, 0], expected, rtol=1e-6)


def test_level_probabilities_of_equal_thresholds_are_not_negative() -> None:
    assert (array(level_probabilities(torch.full((1, 3), 7.0))) >= 0.0).all()


def test_multiclass_answer_is_a_probability_of_each_class() -> None:
    powers = np.exp([0.5, -1.0, 2.0])
    assert answered(GENRE, 0.5, -1.0, 2.0) == pytest.approx(list(powers / powers.sum()), rel=1e-12)


def test_count_answer_is_the_expected_number() -> None:
    assert answered(PLAYS, 1.5) == [pytest.approx(np.exp(1.5), rel=1e-12)]
    assert answered(PLAYS, 1e6) == [pytest.approx(np.exp(30.0), rel=1e-12)]


def test_logits_are_split_by_task() -> None:
    parts = split((CLICK, GENRE, STARS, PLAYS), torch.arange(8.0).unsqueeze(0))
    assert [part.tolist() for part in parts] == [[[0.0]], [[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]], [[7.0]]]
