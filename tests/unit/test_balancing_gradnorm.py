from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from small_network import CLICK, LIKE, RATING, SmallCase, balancer_of, found_gradient, small_case

from polyrank.train.balancing.gradients import last_shared_weight
from polyrank.train.balancing.gradnorm import gradient_norms, weight_gradient
from polyrank.train.threads import torch_threads

TASK_WEIGHTS = np.array([0.7, 1.5])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def measured_norms(case: SmallCase, tensors: list[torch.Tensor], step: float = 1e-5) -> NDArray[np.float64]:
    """Measure the norms of the losses' gradients on tensors by central differences, one number at a time."""
    slopes = []
    with torch.no_grad():
        for tensor in tensors:
            flat = tensor.view(-1)
            for index in range(len(flat)):
                flat[index] += step
                above = case.losses()
                flat[index] -= 2 * step
                below = case.losses()
                flat[index] += step
                slopes.append(((above - below) / (2 * step)).numpy())
    norms: NDArray[np.float64] = np.linalg.norm(np.stack(slopes), axis=0)
    return norms


def gradnorm_loss(weights: NDArray[np.float64], norms: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float(np.abs(weights * norms - target).sum())


def test_norms_are_those_measured_on_the_last_shared_weight() -> None:
    case = small_case(CLICK, RATING)
    found = gradient_norms(case.losses(), case.model.network, case.leaves)
    weight = cast("Any", case.model.network.layers).bottom[0].weight
    assert_allclose(found.numpy(), measured_norms(case, [weight]), rtol=1e-6)


@pytest.mark.parametrize("architecture", ["esmm", "aitm", "single_task"])
def test_norms_are_those_measured_on_inputs_where_no_layer_is_shared(architecture: str) -> None:
    case = small_case(CLICK, LIKE, architecture=architecture)
    found = gradient_norms(case.losses(), case.model.network, case.leaves)
    assert_allclose(found.numpy(), measured_norms(case, case.leaves), rtol=1e-6)


def test_weight_gradient_is_the_slope_with_a_constant_target() -> None:
    weights, norms, ratios = np.array([1.3, 0.5, 1.2]), np.array([0.2, 0.9, 0.4]), np.array([0.9, 0.5, 0.7])
    target = (weights * norms).mean() * (ratios / ratios.mean()) ** 1.5
    found = weight_gradient(torch.tensor(weights), torch.tensor(norms), torch.tensor(ratios), alpha=1.5)
    for index, each in enumerate(1e-6 * np.eye(3)):
        above, below = gradnorm_loss(weights + each, norms, target), gradnorm_loss(weights - each, norms, target)
        assert found[index].item() == pytest.approx((above - below) / 2e-6, rel=1e-6)


def test_weight_gradient_leaves_out_unobserved_tasks() -> None:
    weights, norms, ratios = [1.3, 0.5, 1.2], [0.2, 0.0, 0.4], [0.9, float("nan"), 0.7]
    found = weight_gradient(torch.tensor(weights), torch.tensor(norms), torch.tensor(ratios), alpha=1.5)
    of_two = weight_gradient(torch.tensor([1.3, 1.2]), torch.tensor([0.2, 0.4]), torch.tensor([0.9, 0.7]), alpha=1.5)
    assert_allclose(found.numpy(), [of_two[0].item(), 0.0, of_two[1].item()], rtol=1e-6)


def test_weight_of_a_task_that_lags_behind_grows() -> None:
    found = weight_gradient(torch.ones(2), torch.ones(2), torch.tensor([0.9, 0.3]), alpha=1.0)
    assert found.tolist() == [-1.0, 1.0]


def test_step_is_that_of_algorithm_1() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("gradnorm", CLICK, RATING, lr=0.1)
    start = np.array([0.8, 1.2])
    balancer.load_state_dict({**balancer.state_dict(), "values": torch.tensor(start)})
    balancer.backward(case.losses(), case.model.network, case.leaves)
    balanced = (case.losses() * torch.tensor(TASK_WEIGHTS * start)).sum()
    assert_allclose(found_gradient(case.tensors()), case.gradients(balanced, case.tensors()), rtol=1e-6, atol=1e-12)
    norms = TASK_WEIGHTS * measured_norms(case, [cast("Any", case.model.network.layers).bottom[0].weight])
    # The first step of Adam is lr towards lower values; r = 1 in the first batch.
    moved = start - 0.1 * np.sign(start * norms - (start * norms).mean())
    assert_allclose(balancer.state_dict()["values"].numpy(), 2 * moved / moved.sum(), rtol=1e-5)


def test_weights_bring_gradients_to_one_norm() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("gradnorm", CLICK, RATING, lr=0.01)
    for _ in range(300):
        balancer.backward(case.losses(), case.model.network, case.leaves)
    norms = TASK_WEIGHTS * measured_norms(case, [cast("Any", case.model.network.layers).bottom[0].weight])
    weights = balancer.state_dict()["values"].numpy()
    assert_allclose(weights, 2 * (1 / norms) / (1 / norms).sum(), rtol=0.03)


def test_losses_are_compared_with_the_first() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("gradnorm", CLICK, RATING)
    first = case.losses().detach().numpy()
    balancer.backward(case.losses(), case.model.network, case.leaves)
    balancer.backward(2 * case.losses(), case.model.network, case.leaves)
    assert_allclose(balancer.state_dict()["first_losses"].numpy(), TASK_WEIGHTS * first, rtol=1e-6)


def test_first_loss_of_a_task_waits_until_it_is_observed() -> None:
    balancer, seen = balancer_of("gradnorm", CLICK, RATING), small_case(CLICK, RATING)
    unseen = small_case(CLICK, RATING, unobserved=[1])
    balancer.backward(unseen.losses(), unseen.model.network, unseen.leaves)
    assert balancer.state_dict()["first_losses"].isnan().tolist() == [False, True]
    balancer.backward(seen.losses(), seen.model.network, seen.leaves)
    expected = 1.5 * seen.losses()[1].item()
    assert balancer.state_dict()["first_losses"][1].item() == pytest.approx(expected, rel=1e-6)


def test_weight_of_an_unobserved_task_stays() -> None:
    case = small_case(CLICK, RATING, LIKE, unobserved=[1])
    balancer = balancer_of("gradnorm", CLICK, RATING, LIKE, lr=0.1)
    balancer.backward(case.losses(), case.model.network, case.leaves)
    weights = balancer.state_dict()["values"]
    assert weights[1] == 1.0
    assert weights[0] != 1.0
    assert float(weights.sum()) == pytest.approx(3.0, rel=1e-6)


def test_weights_stay_above_zero() -> None:
    case, balancer = small_case(CLICK, RATING), balancer_of("gradnorm", CLICK, RATING, lr=5.0)
    for _ in range(3):
        balancer.backward(case.losses(), case.model.network, case.leaves)
    assert (balancer.state_dict()["values"] > 0).all()


def test_nothing_observed_moves_nothing() -> None:
    case, balancer = small_case(CLICK, RATING, unobserved=[0, 1]), balancer_of("gradnorm", CLICK, RATING)
    balancer.backward(case.losses(), case.model.network, case.leaves)
    assert balancer.state_dict()["values"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("shared_bottom", "layers.bottom.0.weight"),
        ("mmoe", "layers.experts.layers.0.linear.weight"),
        ("ple", "layers.extractions.0.shared_experts.layers.0.linear.weight"),
        ("stem", "layers.shared_experts.layers.0.linear.weight"),
    ],
)
def test_last_shared_layer_is_that_of_the_architecture(architecture: str, name: str) -> None:
    network = small_case(CLICK, LIKE, architecture=architecture).model.network
    assert last_shared_weight(network) is dict(network.named_parameters())[name]


def test_last_shared_layer_may_be_a_cross_layer() -> None:
    network = small_case(CLICK, LIKE, architecture="esmm", interaction="dcn_v2").model.network
    assert last_shared_weight(network) is dict(network.named_parameters())["crosses.0.widen.1.weight"]


def test_tasks_that_share_no_layer_have_no_last_one() -> None:
    assert last_shared_weight(small_case(CLICK, LIKE, architecture="esmm").model.network) is None
