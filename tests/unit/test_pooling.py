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
