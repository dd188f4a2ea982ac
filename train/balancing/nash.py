"""Nash-MTL: weights with which every task gains as much as in a bargain among equals."""

import torch
from torch import Tensor

RIDGE = 1e-6
"""Added to a diagonal whose mean is 1, so that gradients that cancel out have a solution too."""

MAX_ITERATIONS = 100
CLOSE = 1e-9


def nash_weights(gramian: Tensor) -> Tensor:
    """Return weights (K,), 1 in sum, with `a[i] * (G a)[i]` alike for all tasks.

    The paper's `G a = 1 / a` (Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1) says that
    the gradient of `a G a / 2 - sum(log a)` is 0. That function is convex and self-concordant, so damped Newton steps
    find its only minimum and never leave `a > 0` (Nesterov and Nemirovskii, Interior-Point Polynomial Algorithms in
    Convex Programming, 1994, section 2.2). torchjd 0.18 solves a sequence of other problems as the paper's code does;
    where the sum of the gradients points against a task, its solver fails and all weights are 1.

    The sum is fixed because the paper's condition alone would make every step of one length, whatever the gradients.

    Args:
        gramian: inner products of the gradients, float64 (K, K), with a mean of 1 on the diagonal.
    """
    gramian = gramian + RIDGE * torch.eye(len(gramian), dtype=gramian.dtype)
    weights = gramian.diagonal().rsqrt()
    for _ in range(MAX_ITERATIONS):
        slope = gramian @ weights - 1 / weights
        step = torch.linalg.solve(gramian + torch.diag(weights**-2), slope)
        decrement = float((slope @ step).clamp(min=0.0).sqrt())
        weights = weights - step / (1 + decrement)
        if decrement < CLOSE:
            break
    return weights / weights.sum()
