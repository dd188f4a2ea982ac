from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from small_network import CLICK, LIKE, RATING, SmallCase, balancer_of, found_gradient, small_case

from polyrank.train.balancing import Balancer
from polyrank.train.threads import torch_threads

COMBINING = ["pcgrad", "cagrad", "upgrad", "mgda", "nash_mtl"]
REMEMBERING = ["uncertainty", "dwa", "gradnorm", *COMBINING]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def step(balancer: Balancer, case: SmallCase, scale: float = 1.0) -> None:
    case.clear()
    balancer.backward(scale * case.losses(), case.model.network, case.leaves)


def by_task(case: SmallCase, tensors: list[torch.Tensor]) -> NDArray[np.float64]:
    """Return the gradients of the losses of CLICK and RATING, times the weights of the tasks, (2, P)."""
    losses = case.losses()
    return np.stack([0.7 * case.gradients(losses[0], tensors), 1.5 * case.gradients(losses[1], tensors)])


def mgda_weights(gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    one, two = gradients
    share = np.clip((two - one) @ two / ((one - two) @ (one - two)), 0.0, 1.0)
    return 2 * np.array([share, 1 - share])


def shared_of(case: SmallCase) -> list[torch.Tensor]:
    return [*case.model.network.shared_parameters()]


def test_shared_layers_decide_and_inputs_follow() -> None:
    case = small_case(CLICK, RATING)
    step(balancer_of("mgda", CLICK, RATING), case)
    weights = mgda_weights(by_task(case, shared_of(case)))
    assert_allclose(found_gradient(shared_of(case)), weights @ by_task(case, shared_of(case)), rtol=1e-5, atol=1e-12)
    assert_allclose(found_gradient(case.leaves), weights @ by_task(case, case.leaves), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("method", COMBINING)
@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe", "ple", "stem", "single_task"])
def test_own_parameters_have_the_plain_gradient(method: str, architecture: str) -> None:
    case = small_case(CLICK, RATING, architecture=architecture)
    step(balancer_of(method, CLICK, RATING), case)
    plain = by_task(case, case.own_parameters()).sum(0)
    assert_allclose(found_gradient(case.own_parameters()), plain, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("method", COMBINING)
def test_input_of_one_task_beside_a_shared_one_has_the_plain_gradient(method: str) -> None:
    case = small_case(CLICK, RATING, architecture="stem")
    step(balancer_of(method, CLICK, RATING), case)
    plain = by_task(case, case.leaves[:-1]).sum(0)
    assert_allclose(found_gradient(case.leaves[:-1]), plain, rtol=1e-6, atol=1e-12)


def test_shared_input_beside_those_of_tasks_follows_the_layers() -> None:
    case = small_case(CLICK, RATING, architecture="stem")
    step(balancer_of("mgda", CLICK, RATING), case)
    weights = mgda_weights(by_task(case, shared_of(case)))
    expected = weights @ by_task(case, case.leaves[-1:])
    assert_allclose(found_gradient(case.leaves[-1:]), expected, rtol=1e-5, atol=1e-12)


def test_inputs_decide_where_no_layer_is_shared() -> None:
    case = small_case(CLICK, RATING, architecture="single_task")
    step(balancer_of("mgda", CLICK, RATING), case)
    gradients = by_task(case, case.leaves)
    assert_allclose(found_gradient(case.leaves), mgda_weights(gradients) @ gradients, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("method", COMBINING)
def test_task_without_labels_is_left_out(method: str) -> None:
    case = small_case(CLICK, RATING, LIKE, unobserved=[2])
    step(balancer_of(method, CLICK, RATING, LIKE), case)
    found = found_gradient(case.tensors())
    case.clear()
    balancer_of(method, CLICK, RATING).backward(case.losses()[:2], case.model.network, case.leaves)
    assert_allclose(found, found_gradient(case.tensors()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("method", COMBINING)
def test_single_observed_task_trains_as_with_fixed_weights(method: str) -> None:
    case = small_case(CLICK, RATING, unobserved=[1])
    step(balancer_of(method, CLICK, RATING), case)
    found = found_gradient(case.tensors())
    step(balancer_of("fixed", CLICK, RATING), case)
    assert_allclose(found, found_gradient(case.tensors()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("method", [*COMBINING, "gradnorm", "uncertainty"])
def test_batch_without_labels_leaves_the_model_alone(method: str) -> None:
    case = small_case(CLICK, RATING, unobserved=[0, 1])
    step(balancer_of(method, CLICK, RATING), case)
    assert not found_gradient(case.tensors()).any()


@pytest.mark.parametrize("method", COMBINING)
def test_small_gradients_are_balanced_like_large_ones(method: str) -> None:
    case = small_case(CLICK, RATING)
    step(balancer_of(method, CLICK, RATING), case)
    large = found_gradient(case.tensors())
    step(balancer_of(method, CLICK, RATING), case, scale=1e-4)
    assert_allclose(found_gradient(case.tensors()), 1e-4 * large, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("method", [*COMBINING, "gradnorm"])
def test_loss_that_is_not_finite_is_left_to_the_loop(method: str) -> None:
    case = small_case(CLICK, RATING)
    step(balancer_of(method, CLICK, RATING), case, scale=float("nan"))
    assert np.isnan(found_gradient(case.tensors())).any()


def run(balancer: Balancer, case: SmallCase, first: int, last: int) -> list[NDArray[np.float64]]:
    """Return the gradients of some steps and epochs, on losses of a scale that changes."""
    found = []
    for index in range(first, last):
        step(balancer, case, scale=1.0 + 0.1 * (index % 3))
        balancer.end_epoch(torch.tensor([0.7, 0.6 / (1 + index), 0.2 * index]))
        found.append(found_gradient(case.tensors()))
    return found


@pytest.mark.parametrize("method", REMEMBERING)
def test_saved_state_goes_on_bit_for_bit(method: Any) -> None:
    tasks = (CLICK, RATING, LIKE)
    case, balancer = small_case(*tasks), balancer_of(method, *tasks)
    run(balancer, case, 0, 3)
    state = balancer.state_dict()
    expected = run(balancer, case, 3, 8)
    other = balancer_of(method, *tasks, seed=1)
    other.load_state_dict(state)
    assert np.array_equal(run(other, case, 3, 8), expected)
