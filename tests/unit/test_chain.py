"""Tasks that follow one another: products of probabilities, labels over all rows, and what is answered."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from reference.networks import array
from scipy.special import expit, log_expit
from torch.nn import functional

from polyrank.features import NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.chain import (
    Chain,
    answered_labels,
    answered_logits,
    chain_of,
    conditional_probabilities,
    disorder,
    entire_space_labels,
    joint_logits,
)
from polyrank.models.heads import split
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, MulticlassTask, Task

NAN = float("nan")
CLICK = BinaryTask(name="click", label="is_click")
CART = BinaryTask(name="cart", label="is_cart", when="is_click")
BUY = BinaryTask(name="buy", label="is_bought", when="is_cart")
GENRE = MulticlassTask(name="genre", label="genre", num_classes=3)
TASKS = (BUY, GENRE, CART, CLICK)
CART_OF_ALL = BinaryTask(name="cart", label="is_cart")
CHAIN = Chain(tasks=(3, 2, 0), columns=(5, 4, 0), multiplies=True)
RATIOS = CHAIN._replace(multiplies=False)
PAIR = Chain((0, 1), (0, 1), multiplies=True)


def schema_of(*tasks: Task) -> Schema:
    return Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks).resolved()


def ranker(architecture: str, *tasks: Task, **options: Any) -> MultiTaskRanker:
    torch.manual_seed(0)
    config = ModelConfig(architecture=architecture, hidden_dims=(8,), tower_dims=(4,), **options)  # type: ignore[arg-type]
    return MultiTaskRanker(schema_of(*tasks), config).eval()


def logits_of(count: int, scale: float = 3.0) -> torch.Tensor:
    return torch.randn(count, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * scale


@pytest.mark.parametrize(("architecture", "expected"), [("esmm", CHAIN), ("aitm", RATIOS)])
def test_chain_names_columns_of_logits(architecture: Any, expected: Chain) -> None:
    config = ModelConfig(architecture=architecture, chain=("click", "cart", "buy"))
    assert chain_of(schema_of(*TASKS), config) == expected


def test_other_architectures_have_no_chain() -> None:
    assert chain_of(schema_of(*TASKS), ModelConfig()) is None


def test_joint_logit_is_that_of_the_product_of_probabilities() -> None:
    logits = logits_of(200)
    click, cart, buy = (expit(logits[:, column].numpy()) for column in CHAIN.columns)
    found = joint_logits(logits, CHAIN).numpy()
    assert_allclose(expit(found[:, 5]), click, rtol=1e-12)
    assert_allclose(expit(found[:, 4]), click * cart, rtol=1e-12)
    assert_allclose(expit(found[:, 0]), click * cart * buy, rtol=1e-12)
    assert_allclose(expit(-found[:, 0]), 1 - click * cart * buy, rtol=1e-9)


def test_logits_of_other_tasks_stay() -> None:
    logits = logits_of(5)
    assert_allclose(joint_logits(logits, CHAIN)[:, 1:4].numpy(), logits[:, 1:4].numpy(), rtol=0)


EXTREMES = torch.tensor([[a, b] for a in (-1e4, -90.0, 0.0, 17.0, 90.0, 1e4) for b in (-1e4, -90.0, 0.0, 17.0, 1e4)])


def test_joint_logit_of_extreme_logits_is_exact() -> None:
    found = joint_logits(EXTREMES, PAIR)[:, 1].double().numpy()
    first, second = EXTREMES.double().numpy().T
    log_rest = np.logaddexp(log_expit(-first), log_expit(first) + log_expit(-second))
    expected = log_expit(first) + log_expit(second) - log_rest
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def gradient_of_joint_loss(logits: torch.Tensor, label: float) -> NDArray[np.float64]:
    logits = logits.clone().requires_grad_()
    joint = joint_logits(logits, PAIR)[:, 1]
    losses = functional.binary_cross_entropy_with_logits(joint, torch.full_like(joint, label), reduction="sum")
    losses.backward()  # type: ignore[no-untyped-call]
    return array(logits.grad)


def test_gradient_of_what_happened_is_that_of_the_log_probability() -> None:
    found = gradient_of_joint_loss(EXTREMES.double(), 1.0)
    assert_allclose(found, -expit(-EXTREMES.double().numpy()), rtol=1e-6, atol=1e-12)


def test_gradient_of_what_did_not_is_that_of_the_log_of_the_rest() -> None:
    found = gradient_of_joint_loss(EXTREMES.double(), 0.0)
    first, second = EXTREMES.double().numpy().T
    log_odds = log_expit(first) + log_expit(second)
    log_odds -= np.logaddexp(log_expit(-first), log_expit(first) + log_expit(-second))
    expected = np.exp(log_odds[:, None] + log_expit(-EXTREMES.double().numpy()))
    assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_gradient_is_finite_in_32_bits() -> None:
    assert all(np.isfinite(gradient_of_joint_loss(EXTREMES, label)).all() for label in (0.0, 1.0))


def test_wrong_certainty_has_a_gradient() -> None:
    assert_allclose(gradient_of_joint_loss(torch.tensor([[30.0, 30.0]]), 0.0), [[0.5, 0.5]], rtol=1e-4)


def test_task_did_not_happen_where_the_one_before_did_not() -> None:
    labels = torch.tensor([[NAN, 2.0, NAN, 0.0], [NAN, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0], [1.0, NAN, 1.0, NAN]])
    assert_allclose(
        entire_space_labels(labels, CHAIN).numpy(),
        [[0.0, 2.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0], [1.0, NAN, 1.0, NAN]],
    )


def test_esmm_answers_what_is_given_the_task_before_where_labels_are() -> None:
    logits = logits_of(50)
    assert_allclose(answered_logits(logits, TASKS, CHAIN).numpy(), logits.numpy(), rtol=0)


def test_esmm_answers_what_is_over_all_rows_elsewhere() -> None:
    tasks = (BUY, GENRE, CART_OF_ALL, CLICK)
    logits = logits_of(50)
    found, joint = answered_logits(logits, tasks, CHAIN).numpy(), joint_logits(logits, CHAIN).numpy()
    assert_allclose(found[:, 4], joint[:, 4], rtol=0)
    assert_allclose(found[:, [0, 1, 2, 3, 5]], logits[:, [0, 1, 2, 3, 5]].numpy(), rtol=0)
    assert np.abs(joint[:, 4] - logits[:, 4].numpy()).max() > 1.0


def test_logits_of_aitm_stay_over_all_rows() -> None:
    logits = logits_of(50)
    assert answered_logits(logits, TASKS, RATIOS) is logits


LABELS = torch.tensor([[NAN, 2.0, NAN, 0.0], [NAN, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0]])


def test_labels_are_given_the_task_before_where_answers_are() -> None:
    assert_allclose(answered_labels(LABELS, TASKS, CHAIN).numpy(), LABELS.numpy())
    assert_allclose(
        answered_labels(LABELS, (BUY, GENRE, CART_OF_ALL, CLICK), CHAIN).numpy(),
        [[NAN, 2.0, 0.0, 0.0], [NAN, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0]],
    )


def test_labels_of_aitm_are_those_of_all_rows() -> None:
    assert_allclose(answered_labels(LABELS, TASKS, RATIOS).numpy(), entire_space_labels(LABELS, RATIOS).numpy())


def test_aitm_divides_by_the_task_before_where_labels_are_given_it() -> None:
    logits = logits_of(50, 1.0)
    logits[:, 4:] += torch.tensor([4.0, 9.0])
    click, cart, buy = (expit(logits[:, column].numpy()) for column in CHAIN.columns)
    found = conditional_probabilities(split(TASKS, logits), TASKS, RATIOS)
    assert_allclose(found["cart"].numpy()[:, 0], cart / click, rtol=1e-9)
    assert_allclose(found["buy"].numpy()[:, 0], buy / cart, rtol=1e-9)
    assert list(conditional_probabilities(split(TASKS, logits), (BUY, GENRE, CART_OF_ALL, CLICK), RATIOS)) == ["buy"]


def test_task_more_probable_than_the_one_before_is_certain_given_it() -> None:
    before, after = torch.tensor([[-2.0], [-1e4], [90.0]]), torch.tensor([[0.0], [-1e4], [90.0]])
    found = conditional_probabilities((after, before), (CART, CLICK), Chain((1, 0), (1, 0), multiplies=False))
    assert_allclose(found["cart"].numpy(), [[1.0]] * 3, atol=1e-6)


def test_disorder_adds_up_how_far_a_task_exceeds_the_one_before() -> None:
    logits = logits_of(40)
    click, cart, buy = (expit(logits[:, column].numpy()) for column in CHAIN.columns)
    expected = np.maximum(cart - click, 0).mean() + np.maximum(buy - cart, 0).mean()
    assert float(disorder(logits, CHAIN)) == pytest.approx(expected, rel=1e-12)


def numbers(count: int = 20) -> torch.Tensor:
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(3)) * 5


def answers_of(model: MultiTaskRanker, rows: torch.Tensor) -> dict[str, NDArray[np.float64]]:
    return {name: array(value)[:, 0] for name, value in model.answers(None, rows).items()}


def test_esmm_answers_products_of_its_towers() -> None:
    tasks = (CLICK, BinaryTask(name="buy", label="is_bought"))
    model, rows = ranker("esmm", *tasks), numbers()
    click, conditional = expit(array(model(None, rows))).T
    found = answers_of(model, rows)
    assert_allclose(found["click"], click, rtol=1e-5)
    assert_allclose(found["buy"], click * conditional, rtol=1e-5)


def test_esmm_answers_the_conditional_where_it_is_asked_for() -> None:
    model, rows = ranker("esmm", CLICK, CART), numbers()
    click, conditional = expit(array(model(None, rows))).T
    found = answers_of(model, rows)
    assert_allclose(found["click"], click, rtol=1e-5)
    assert_allclose(found["cart"], conditional, rtol=1e-5)


def test_aitm_answers_the_ratio_where_it_is_asked_for() -> None:
    model, rows = ranker("aitm", CLICK, CART), numbers()
    model.network.baseline.bias.data.copy_(torch.tensor([3.0, 0.0]))
    click, both = expit(array(model(None, rows))).T
    found = answers_of(model, rows)
    assert_allclose(found["click"], click, rtol=1e-5)
    assert_allclose(found["cart"], both / click, rtol=1e-5)


def test_esmm_learns_the_product_from_all_rows() -> None:
    model = ranker("esmm", CLICK, CART)
    logits = torch.tensor([[0.3, -0.4], [1.2, 0.9]])
    labels = torch.tensor([[0.0, NAN], [1.0, 1.0]])
    click, both = expit(array(logits)).cumprod(axis=1).T
    expected = [-np.log([1 - click[0], click[1]]).mean(), -np.log([1 - both[0], both[1]]).mean()]
    assert_allclose(array(model.losses(logits, labels)), expected, rtol=1e-6)


@pytest.mark.parametrize("calibrator", [0.0, 0.6])
def test_aitm_adds_its_calibrator_to_the_last_task(calibrator: float) -> None:
    model = ranker("aitm", CLICK, CART, calibrator=calibrator)
    logits, labels = torch.tensor([[0.3, -0.4], [0.2, 0.9]]), torch.tensor([[0.0, NAN], [1.0, 1.0]])
    click, both = -log_expit(np.array([[-0.3, 0.2], [0.4, 0.9]]))
    penalty = calibrator * (expit(0.9) - expit(0.2)) / 2
    assert_allclose(array(model.losses(logits, labels)), [click.mean(), both.mean() + penalty], rtol=1e-6)


def test_esmm_has_no_calibrator() -> None:
    model = ranker("esmm", CLICK, CART, calibrator=0.6)
    logits, labels = torch.tensor([[-5.0, 5.0]]), torch.tensor([[1.0, 1.0]])
    expected = -log_expit(np.array([-5.0, 5.0])).cumsum()
    assert_allclose(array(model.losses(logits, labels)), expected, rtol=1e-5)
