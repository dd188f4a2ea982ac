from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from small_network import CLICK, LIKE, RATING, SmallCase, balancer_of, found_gradient, small_case

from polyrank.tasks import RegressionTask
from polyrank.train.balancing import Balancer
from polyrank.train.balancing.adam import TaskAdam
from polyrank.train.threads import torch_threads

HUBER = RegressionTask(name="huber", label="stars", loss="huber")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def step(balancer: Balancer, case: SmallCase) -> NDArray[np.float64]:
    case.clear()
    balancer.backward(case.losses(), case.model.network, case.leaves)
    return found_gradient(case.tensors())


def expected(case: SmallCase, *weights: float) -> NDArray[np.float64]:
    return case.gradients((case.losses() * torch.tensor(weights)).sum(), case.tensors())


def learn(balancer: Balancer, losses: list[float], steps: int) -> None:
    for _ in range(steps):
        balancer.backward(torch.tensor(losses, requires_grad=True), None, [])  # type: ignore[arg-type]


def test_fixed_weights_are_those_of_the_schema() -> None:
    case = small_case(CLICK, RATING)
    assert_allclose(step(balancer_of("fixed", CLICK, RATING), case), expected(case, 0.7, 1.5), rtol=1e-6, atol=1e-12)


def test_gradients_add_up_like_those_of_backward() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("fixed", CLICK, RATING)
    once = step(balancer, case)
    balancer.backward(case.losses(), case.model.network, case.leaves)
    assert_allclose(found_gradient(case.tensors()), 2 * once, rtol=1e-12)


def test_uncertainty_starts_at_a_variance_of_one() -> None:
    case = small_case(CLICK, RATING)
    found = step(balancer_of("uncertainty", CLICK, RATING), case)
    assert_allclose(found, expected(case, 0.7, 0.5 * 1.5), rtol=1e-6, atol=1e-12)


def test_huber_loss_has_no_second_half() -> None:
    case = small_case(CLICK, HUBER)
    found = step(balancer_of("uncertainty", CLICK, HUBER), case)
    assert_allclose(found, expected(case, 0.7, 1.0), rtol=1e-6, atol=1e-12)


def test_learned_variance_is_that_of_the_errors() -> None:
    balancer = balancer_of("uncertainty", CLICK, RATING, lr=0.05)
    learn(balancer, [0.3, 4.0], steps=400)
    # The minimum of k exp(-s) w L + s / 2 is at exp(s) = 2 k w L.
    variances = np.exp(balancer.state_dict()["values"].numpy())
    assert_allclose(variances, [2 * 0.7 * 0.3, 1.5 * 4.0], rtol=1e-2)


def test_uncertainty_weighs_by_the_learned_variance() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("uncertainty", CLICK, RATING)
    balancer.load_state_dict({**balancer.state_dict(), "values": torch.tensor([0.5, -1.0])})
    weights = 0.7 * np.exp(-0.5), 0.5 * 1.5 * np.exp(1.0)
    assert_allclose(step(balancer, case), expected(case, *weights), rtol=1e-6, atol=1e-12)


def test_variance_of_an_unobserved_task_stays() -> None:
    balancer = balancer_of("uncertainty", CLICK, RATING, lr=0.05)
    learn(balancer, [0.3, 4.0], steps=3)
    before = balancer.state_dict()
    learn(balancer, [0.3, 0.0], steps=3)
    assert balancer.state_dict()["values"][1] == before["values"][1]
    assert balancer.state_dict()["values"][0] != before["values"][0]


def test_adam_of_observed_tasks_is_that_of_torch() -> None:
    random = np.random.default_rng(0)
    ours = TaskAdam(torch.tensor([0.3, -0.2]), lr=0.02)
    theirs = [torch.tensor(0.3, requires_grad=True), torch.tensor(-0.2, requires_grad=True)]
    optimizer = torch.optim.Adam(theirs, lr=0.02)
    for _ in range(20):
        gradient, observed = torch.tensor(random.normal(size=2)).float(), torch.tensor(random.random(2) < 0.7)
        ours.step(gradient, observed)
        theirs[0].grad = gradient[0] if observed[0] else None
        theirs[1].grad = gradient[1] if observed[1] else None
        optimizer.step()
    assert_allclose(ours.values.numpy(), [float(value.detach()) for value in theirs], rtol=1e-5)


@pytest.mark.parametrize("epochs", [0, 1])
def test_dwa_weighs_all_alike_in_two_epochs(epochs: int) -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("dwa", CLICK, RATING)
    for _ in range(epochs):
        balancer.end_epoch(torch.tensor([0.5, 2.0]))
    assert_allclose(step(balancer, case), expected(case, 0.7, 1.5), rtol=1e-6, atol=1e-12)


def test_dwa_weighs_slow_tasks_more_from_the_third_epoch() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("dwa", CLICK, RATING, temperature=0.5)
    balancer.end_epoch(torch.tensor([0.5, 2.0]))
    balancer.end_epoch(torch.tensor([0.45, 0.8]))
    rates = np.exp(np.array([0.45 / 0.5, 0.8 / 2.0]) / 0.5)
    weights = 2 * rates / rates.sum()
    assert_allclose(step(balancer, case), expected(case, 0.7 * weights[0], 1.5 * weights[1]), rtol=1e-6, atol=1e-12)


def test_dwa_forgets_all_but_two_epochs() -> None:
    balancer = balancer_of("dwa", CLICK, RATING)
    for losses in ([9.0, 9.0], [0.5, 2.0], [0.4, 1.9]):
        balancer.end_epoch(torch.tensor(losses))
    rates = np.exp(np.array([0.4 / 0.5, 1.9 / 2.0]) / 2)
    assert_allclose(balancer.state_dict()["weights"].numpy(), 2 * rates / rates.sum(), rtol=1e-6)


def test_dwa_takes_a_task_without_losses_as_standing_still() -> None:
    balancer = balancer_of("dwa", CLICK, RATING, LIKE)
    balancer.end_epoch(torch.tensor([0.5, 0.0, 1.0]))
    balancer.end_epoch(torch.tensor([0.4, 2.0, 0.0]))
    rates = np.exp(np.array([0.4 / 0.5, 1.0, 1.0]) / 2)
    assert_allclose(balancer.state_dict()["weights"].numpy(), 3 * rates / rates.sum(), rtol=1e-6)


@pytest.mark.parametrize("method", ["uncertainty", "dwa", "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "nash_mtl"])
def test_one_task_has_nothing_to_balance(method: Any) -> None:
    case = small_case(RATING)
    assert_allclose(step(balancer_of(method, RATING), case), expected(case, 1.5), rtol=1e-6, atol=1e-12)
