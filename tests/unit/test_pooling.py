import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from polyrank.features import Pooling
from polyrank.models.pooling import pool

VECTORS = torch.tensor([[[1.0, -2.0], [9.0, 9.0], [3.0, -4.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 9.0]]])
PRESENT = torch.tensor([[True, False, True], [False, False, False]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("sum", [4.0, -6.0]),
        ("mean", [2.0, -3.0]),
        ("sqrtn", [4.0 / np.sqrt(2.0), -6.0 / np.sqrt(2.0)]),
        ("max", [3.0, -2.0]),
    ],
)
def test_present_values_alone_are_pooled(pooling: Pooling, expected: list[float]) -> None:
    assert_allclose(pool(VECTORS, PRESENT, pooling).numpy(), [expected, [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("pooling", ["sum", "mean", "sqrtn", "max"])
def test_absent_values_get_no_gradient(pooling: Pooling) -> None:
    vectors = VECTORS.clone().requires_grad_()
    pool(vectors, PRESENT, pooling).sum().backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    assert not vectors.grad[~PRESENT].any()
    assert not vectors.grad.isnan().any()
    assert vectors.grad[0, 0].any()


WEIGHTS = torch.tensor([[0.5, 9.0, 2.0], [1.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("sum", [6.5, -9.0]),
        ("mean", [6.5 / 2.5, -9.0 / 2.5]),
        ("sqrtn", [6.5 / np.sqrt(4.25), -9.0 / np.sqrt(4.25)]),
    ],
)
def test_weights_multiply_present_values(pooling: Pooling, expected: list[float]) -> None:
    assert_allclose(pool(VECTORS, PRESENT, pooling, WEIGHTS).numpy(), [expected, [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize(("pooling", "expected"), [("sum", [-5.0, 6.0]), ("mean", [1.0, -2.0]), ("sqrtn", [1.0, -2.0])])
def test_negative_weight_counts_in_a_sum_alone(pooling: Pooling, expected: list[float]) -> None:
    weights = torch.tensor([[1.0, 1.0, -2.0], [1.0, 1.0, 1.0]])
    assert_allclose(pool(VECTORS, PRESENT, pooling, weights)[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("pooling", ["sum", "mean", "sqrtn"])
def test_weights_of_zero_give_zero(pooling: Pooling) -> None:
    assert pool(VECTORS, PRESENT, pooling, torch.zeros(2, 3)).tolist() == [[0.0, 0.0]] * 2


@pytest.mark.parametrize("pooling", ["sum", "mean", "sqrtn"])
def test_equal_weights_pool_as_none_do(pooling: Pooling) -> None:
    assert_allclose(pool(VECTORS, PRESENT, pooling, torch.ones(2, 3)), pool(VECTORS, PRESENT, pooling), rtol=1e-6)
