"""Methods of torchjd against computations by hand: of two tasks in closed form, of three by what defines the method."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.optimize import minimize

from polyrank.errors import MissingExtraError
from polyrank.train.balancing import BalancingConfig
from polyrank.train.balancing.weightings import Weighting, build_weighting

CONFLICT = np.array([[1.0, 0.2, 0.0], [-1.5, 1.0, 0.5]])
AGREEMENT = np.array([[1.0, 0.2, 0.0], [0.5, 1.0, 0.5]])
THREE = np.array([[1.0, 0.0, 0.2], [-0.8, 0.9, 0.0], [-0.3, -0.7, 0.6]])
AGAINST_SUM = np.array([[1.0, 0.0, 0.2], [-2.0, 0.9, 0.0], [-0.3, -0.7, 0.6]])  # the sum points against the first
LIBRARY = ["pcgrad", "cagrad", "upgrad", "mgda"]
METHODS = [*LIBRARY, "nash_mtl"]


def weighting_of(method: Any, seed: int = 0, **options: Any) -> Weighting:
    return build_weighting(BalancingConfig(method=method, **options), seed)


def weigh(weighting: Weighting, gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of gradients (K, P), whose Gramian is scaled as the caller scales it."""
    gramian = torch.tensor(gradients @ gradients.T)
    return weighting(gramian / gramian.diagonal().mean()).numpy()


def combined(method: str, gradients: NDArray[np.float64], **options: Any) -> NDArray[np.float64]:
    return weigh(weighting_of(method, **options), gradients) @ gradients


def projected(gradient: NDArray[np.float64], onto: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take away what points against another gradient."""
    against = min(float(gradient @ onto), 0.0)
    return gradient - against / float(onto @ onto) * onto


def test_pcgrad_adds_up_projections() -> None:
    one, two = CONFLICT
    assert_allclose(combined("pcgrad", CONFLICT), projected(one, two) + projected(two, one), rtol=1e-9)


def test_pcgrad_projects_in_a_random_order() -> None:
    weighting = weighting_of("pcgrad")
    found = {tuple(np.round(weigh(weighting, THREE), 6)) for _ in range(50)}
    one, two, three = THREE
    orders = [
        projected(projected(one, first), second)
        + projected(projected(two, third), fourth)
        + projected(projected(three, fifth), sixth)
        for first, second in ((two, three), (three, two))
        for third, fourth in ((one, three), (three, one))
        for fifth, sixth in ((one, two), (two, one))
    ]
    distances = [min(np.abs(np.array(weights) @ THREE - order).max() for order in orders) for weights in found]
    assert len(found) > 1
    assert max(distances) < 1e-5


def test_pcgrad_takes_nothing_from_the_global_generator() -> None:
    weighting = weighting_of("pcgrad")
    before = torch.get_rng_state()
    weigh(weighting, THREE)
    assert torch.equal(torch.get_rng_state(), before)


def test_pcgrad_of_another_seed_takes_another_order() -> None:
    runs = {
        tuple(np.round([weigh(weighting, THREE) for _ in range(10)], 6).ravel())
        for weighting in (weighting_of("pcgrad", seed=seed) for seed in (0, 0, 1))
    }
    assert len(runs) == 2


@pytest.mark.parametrize("gradients", [CONFLICT, AGREEMENT, np.array([[1.0, 0.0], [3.0, 0.5]])])
def test_mgda_takes_the_shortest_mean(gradients: NDArray[np.float64]) -> None:
    one, two = gradients
    share = np.clip((two - one) @ two / ((one - two) @ (one - two)), 0.0, 1.0)  # Sener and Koltun, algorithm 1
    assert_allclose(combined("mgda", gradients), 2 * (share * one + (1 - share) * two), rtol=1e-9)


@pytest.mark.parametrize("gradients", [CONFLICT, AGREEMENT])
def test_cagrad_takes_the_best_worst_gain_near_the_mean(gradients: NDArray[np.float64]) -> None:
    mean, radius = gradients.mean(0), 0.4 * np.linalg.norm(gradients.mean(0))
    shares = np.linspace(0, 1, 100_001)[:, None]
    mixed = shares * gradients[0] + (1 - shares) * gradients[1]
    best = mixed[(mixed @ mean + radius * np.linalg.norm(mixed, axis=1)).argmin()]
    expected = mean + radius * best / np.linalg.norm(best)
    assert_allclose(combined("cagrad", gradients, c=0.4), 2 * expected, rtol=1e-3, atol=1e-4)


def test_cagrad_without_a_radius_is_the_sum() -> None:
    assert_allclose(combined("cagrad", THREE, c=0.0), THREE.sum(0), rtol=1e-9)


def test_upgrad_of_two_adds_up_projections() -> None:
    one, two = CONFLICT
    assert_allclose(combined("upgrad", CONFLICT), projected(one, two) + projected(two, one), rtol=1e-9)


@pytest.mark.parametrize("gradients", [CONFLICT, THREE, AGAINST_SUM])
def test_upgrad_goes_against_no_task(gradients: NDArray[np.float64]) -> None:
    assert (gradients @ combined("upgrad", gradients)).min() > -1e-12


def test_upgrad_adds_up_the_nearest_directions_against_no_task() -> None:
    nearest = [
        minimize(
            lambda found, gradient=gradient: ((found - gradient) ** 2).sum(),
            np.zeros(3),
            constraints={"type": "ineq", "fun": lambda found: AGAINST_SUM @ found},
            method="SLSQP",
            tol=1e-12,
        ).x
        for gradient in AGAINST_SUM
    ]
    assert_allclose(combined("upgrad", AGAINST_SUM), np.sum(nearest, axis=0), atol=1e-5)


@pytest.mark.parametrize("method", ["pcgrad", "upgrad"])
def test_gradients_without_conflict_add_up(method: str) -> None:
    assert_allclose(combined(method, AGREEMENT), AGREEMENT.sum(0), rtol=1e-9)


@pytest.mark.parametrize("gradients", [CONFLICT, AGREEMENT])
def test_nash_weights_of_two_are_inverse_to_norms(gradients: NDArray[np.float64]) -> None:
    inverse = 1 / np.linalg.norm(gradients, axis=1)
    assert_allclose(weigh(weighting_of("nash_mtl"), gradients), 2 * inverse / inverse.sum(), rtol=1e-5)


@pytest.mark.parametrize("gradients", [THREE, AGAINST_SUM])
def test_nash_gives_every_task_the_same_share_of_the_gain(gradients: NDArray[np.float64]) -> None:
    weights = weigh(weighting_of("nash_mtl"), gradients)
    shares = weights * (gradients @ gradients.T @ weights)
    assert_allclose(shares, shares.mean(), rtol=1e-4)
    assert weights.sum() == pytest.approx(3.0)


@pytest.mark.parametrize("method", METHODS)
def test_opposite_gradients_give_weights(method: str) -> None:
    found = weigh(weighting_of(method), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(found[1], abs=1e-3)


@pytest.mark.parametrize("method", LIBRARY)
def test_missing_library_is_refused_with_its_extra(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    with pytest.raises(MissingExtraError, match=rf"method = '{method}' needs torchjd; pip install 'polyrank\[balanc"):
        weighting_of(method)
