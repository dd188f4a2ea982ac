from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import nn
from torch.optim import AdamW

from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.embedding import FusedTable
from polyrank.schema import Schema
from polyrank.train.averaging import AverageWeights
from polyrank.train.config_sections import OptimizerConfig
from polyrank.train.optimizers import (
    FusedAdamW,
    RowGradient,
    RowOptimizer,
    RowwiseAdagrad,
    SparseAdam,
    build_optimizers,
    gradient_norm,
)
from polyrank.train.schedules import rate_at

LR = 0.1
BATCHES = [
    (np.array([2, 0, 2, 2, 5]), np.arange(15, dtype=np.float32).reshape(5, 3) - 4),
    (np.array([5, 1]), np.array([[1, 2, -3], [0.5, 0, 0]], np.float32)),
    (np.array([2, 5, 5]), np.full((3, 3), 0.25, np.float32)),
]


def dense_rowwise_adagrad(weight: NDArray[np.float64], lr: float) -> NDArray[np.float64]:
    weight, sums = weight.copy(), np.zeros(len(weight))
    for rows, gradients in BATCHES:
        gradient = np.zeros_like(weight)
        np.add.at(gradient, rows, gradients.astype(np.float64))
        sums += (gradient**2).mean(axis=1)
        weight -= lr * gradient / (np.sqrt(sums) + 1e-8)[:, None]
    return weight


def gradient_of(weight: nn.Parameter, rows: Any, gradients: Any) -> RowGradient:
    looked_up = nn.functional.embedding(torch.as_tensor(rows), weight, sparse=True)
    (looked_up * torch.as_tensor(gradients)).sum().backward()  # type: ignore[no-untyped-call]
    found = RowGradient.of(weight)
    assert found is not None
    return found


def train(weight: nn.Parameter, optimizer: RowOptimizer | None = None) -> None:
    optimizer = optimizer or RowwiseAdagrad([weight], LR)
    for rows, gradients in BATCHES:
        optimizer.step(0, gradient_of(weight, rows, gradients))


@pytest.fixture
def weight() -> nn.Parameter:
    return nn.Parameter(torch.randn(7, 3, generator=torch.Generator().manual_seed(0)))


def test_steps_equal_the_dense_formula(weight: nn.Parameter) -> None:
    expected = dense_rowwise_adagrad(weight.detach().numpy().astype(np.float64), LR)
    train(weight)
    assert_allclose(weight.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_untouched_rows_stay_bit_equal(weight: nn.Parameter) -> None:
    before = weight.detach().clone()
    train(weight)
    assert_array_equal(weight[[3, 4, 6]].detach(), before[[3, 4, 6]])
    assert not torch.equal(weight[0], before[0])


def test_row_with_zero_gradient_stays_bit_equal(weight: nn.Parameter) -> None:
    before = weight.detach().clone()
    RowwiseAdagrad([weight], LR).step(0, gradient_of(weight, [1], [0.0]))
    assert_array_equal(weight.detach(), before)


def test_table_that_no_batch_touched_has_no_gradient(weight: nn.Parameter) -> None:
    assert RowGradient.of(weight) is None


def test_gradient_is_taken_from_the_table(weight: nn.Parameter) -> None:
    found = gradient_of(weight, [5, 1, 5], [[1.0], [2.0], [3.0]])
    assert found.rows.tolist() == [5, 1]
    assert found.values.tolist() == [[4.0] * 3, [2.0] * 3]
    assert weight.grad is None


def test_rate_and_scale_multiply_step_and_gradient(weight: nn.Parameter) -> None:
    other = nn.Parameter(weight.detach().clone())
    RowwiseAdagrad([weight], LR / 2).step(0, gradient_of(weight, [1, 2], [[3.0], [6.0]]))
    RowwiseAdagrad([other], LR).step(0, gradient_of(other, [1, 2], [[1.0], [2.0]]), rate=0.5, scale=3.0)
    assert_allclose(other.detach().numpy(), weight.detach().numpy(), rtol=1e-6)


def test_sparse_adam_steps_like_that_of_pytorch(weight: nn.Parameter) -> None:
    other = nn.Parameter(weight.detach().clone())
    theirs = torch.optim.SparseAdam([other], lr=LR, eps=1e-8)
    for rows, gradients in BATCHES:
        theirs.zero_grad()
        looked_up = nn.functional.embedding(torch.from_numpy(rows), other, sparse=True)
        (looked_up * torch.from_numpy(gradients)).sum().backward()  # type: ignore[no-untyped-call]
        theirs.step()  # type: ignore[no-untyped-call]
    train(weight, SparseAdam([weight], LR))
    assert_allclose(weight.detach().numpy(), other.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_tables_go_to_adagrad_and_the_rest_to_adamw(toy_schema: Schema) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig())
    config = OptimizerConfig(lr=0.01, embedding_lr=0.02, weight_decay=0.03)
    dense, rows = build_optimizers(model, config)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, FusedTable)}
    assert isinstance(rows, RowwiseAdagrad)
    assert {id(table) for table in rows.tables} == tables
    assert {id(p) for p in dense.weights} == {id(p) for p in model.parameters()} - tables
    assert (dense.lr, dense.weight_decay, rows.lr) == (0.01, 0.03, 0.02)


def test_adamw_steps_like_that_of_pytorch() -> None:
    torch.manual_seed(0)
    own, theirs = ([nn.Parameter(torch.ones(*shape)) for shape in ((3, 40), (7,), (2,))] for _ in range(2))
    ours, reference = FusedAdamW(own, lr=0.1, weight_decay=0.01), AdamW(theirs, lr=0.1, weight_decay=0.01, fused=True)
    for count in (3, 2, 3, 0, 1):  # so many of the weights have a gradient
        for weight, other in zip(own[:count], theirs, strict=False):
            weight.grad = torch.randn_like(weight)
            other.grad = weight.grad.clone()
        ours.lr = reference.param_groups[0]["lr"] = 0.1 / (1 + count)
        ours.step()
        reference.step()
        reference.zero_grad()
        assert all(weight.grad is None for weight in own)
    for weight, other in zip(own, theirs, strict=True):
        assert_array_equal(weight.detach().numpy(), other.detach().numpy())


def test_adamw_goes_on_from_its_state() -> None:
    first, second = (nn.Parameter(torch.ones(4)) for _ in range(2))
    gradients = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    whole, before, after = (FusedAdamW([weight], lr=0.1, weight_decay=0.0) for weight in (first, second, second))
    for place, gradient in enumerate(gradients):
        first.grad, second.grad = gradient.clone(), gradient.clone()
        whole.step()
        (before if place == 0 else after).step()
        if place == 0:
            after.load_state({name: value.clone() for name, value in before.state().items()})
    assert_array_equal(first.detach().numpy(), second.detach().numpy())


def test_rate_of_sparse_adam_is_that_of_adamw_unless_given() -> None:
    assert OptimizerConfig(lr=0.002, embedding="sparse_adam").table_lr == 0.002
    assert OptimizerConfig(lr=0.002).table_lr == 0.05
    assert isinstance(build_optimizers(nn.Linear(2, 1), OptimizerConfig(embedding="sparse_adam"))[1], SparseAdam)


def test_norm_is_of_all_gradients_together(weight: nn.Parameter) -> None:
    rows = gradient_of(weight, [1, 1], [[1.0], [1.0]])
    assert_allclose(gradient_norm([torch.tensor([3.0, 1.0])], [rows, None]), np.sqrt(9 + 1 + 3 * 4), rtol=1e-6)


@pytest.mark.parametrize(
    ("step", "config", "expected"),
    [
        (0, OptimizerConfig(), 1.0),
        (0, OptimizerConfig(warmup_steps=4), 0.25),
        (3, OptimizerConfig(warmup_steps=4), 1.0),
        (4, OptimizerConfig(warmup_steps=4, schedule="cosine"), 1.0),
        (52, OptimizerConfig(warmup_steps=4, schedule="cosine"), 0.5),
        (100, OptimizerConfig(warmup_steps=4, schedule="cosine"), 0.0),
    ],
)
def test_rate_warms_up_and_then_follows_the_schedule(step: int, config: OptimizerConfig, expected: float) -> None:
    assert_allclose(rate_at(step, 100, config), expected, atol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.99, 0.999_999])
def test_average_after_one_step_is_what_it_gave(decay: float) -> None:
    dense, table = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(4, 1))
    average = AverageWeights([dense], [table], decay)
    average.before_rows(0, RowGradient(torch.tensor([1]), torch.zeros(1, 1)))
    with torch.no_grad():
        dense.add_(3.0)
        table[1] = 5.0
    average.after_step()
    average.exchange()
    assert_allclose(dense.detach().numpy(), [3.0, 3.0])
    assert_allclose(table.detach().numpy()[:, 0], [0.0, 5.0, 0.0, 0.0])


def test_average_of_weights_is_that_of_every_step() -> None:
    dense, table = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(4, 1))
    average, weighted = AverageWeights([dense], [table], 0.9), [np.zeros(2), np.zeros((4, 1))]
    for step, row in enumerate([1, 2, 1, 0, 0, 1]):
        average.before_rows(0, RowGradient(torch.tensor([row]), torch.zeros(1, 1)))
        with torch.no_grad():
            dense.add_(step)
            table[row] += 1.0 + step
        average.after_step()
        for at, value in enumerate((dense, table)):
            weighted[at] = 0.9 * weighted[at] + value.detach().numpy()
    expected = [value / sum(0.9**step for step in range(6)) for value in weighted]
    raw = table.detach().clone()
    average.exchange()
    assert_allclose(table.detach().numpy(), expected[1], rtol=1e-5)
    assert_allclose(dense.detach().numpy(), expected[0], rtol=1e-5)
    average.exchange()
    assert torch.equal(table, raw)
