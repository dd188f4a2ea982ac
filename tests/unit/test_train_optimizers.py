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
from polyrank.train.config import OptimizerConfig
from polyrank.train.optimizers import RowwiseAdagrad, build_optimizers

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


def train(weight: nn.Parameter) -> None:
    optimizer = RowwiseAdagrad([weight], LR)
    for rows, gradients in BATCHES:
        optimizer.zero_grad()
        looked_up = nn.functional.embedding(torch.from_numpy(rows), weight, sparse=True)
        (looked_up * torch.from_numpy(gradients)).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


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
    before, optimizer = weight.detach().clone(), RowwiseAdagrad([weight], LR)
    (nn.functional.embedding(torch.tensor([1]), weight, sparse=True) * 0.0).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert_array_equal(weight.detach(), before)


def test_step_without_gradient_changes_nothing(weight: nn.Parameter) -> None:
    before = weight.detach().clone()
    RowwiseAdagrad([weight], LR).step()
    assert_array_equal(weight.detach(), before)


def test_closure_gives_the_loss(weight: nn.Parameter) -> None:
    assert RowwiseAdagrad([weight], LR).step(lambda: 2.5) == 2.5


def test_tables_go_to_adagrad_and_the_rest_to_adamw(toy_schema: Schema) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig())
    config = OptimizerConfig(lr=0.01, embedding_lr=0.02, weight_decay=0.03)
    dense, sparse = build_optimizers(model, config)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, FusedTable)}
    assert isinstance(dense, AdamW)
    assert isinstance(sparse, RowwiseAdagrad)
    assert {id(parameter) for parameter in sparse.param_groups[0]["params"]} == tables
    assert {id(p) for p in dense.param_groups[0]["params"]} == {id(p) for p in model.parameters()} - tables
    assert (dense.defaults["lr"], dense.defaults["weight_decay"], sparse.defaults["lr"]) == (0.01, 0.03, 0.02)


def test_model_without_tables_has_adamw_only() -> None:
    assert [type(optimizer) for optimizer in build_optimizers(nn.Linear(2, 1), OptimizerConfig())] == [AdamW]
