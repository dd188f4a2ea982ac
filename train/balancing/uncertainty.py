"""Uncertainty weighting: a learned variance of each task."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from polyrank.models.ranker import Network
from polyrank.tasks import RegressionTask, Task

from .adam import TaskAdam
from .fixed import FixedWeights


class UncertaintyWeights(FixedWeights):
    """`sum(k * exp(-s) * weight * loss + s / 2)` over observed tasks, where `s` is a task's log variance, learned.

    `k` is 1/2 for a squared error, whose likelihood is Gaussian, and 1 for the others, whose loss is a negative log
    likelihood as it is (a Huber loss has the half in it). Kendall et al., Multi-Task Learning Using Uncertainty to
    Weigh Losses for Scene Geometry and Semantics, CVPR 2018, section 3.2, equations 7 and 10.
    """

    def __init__(self, tasks: Sequence[Task], lr: float) -> None:
        super().__init__(tasks)
        self.factors = torch.tensor([_factor(task) for task in tasks])  # (T,)
        self.log_variances = TaskAdam(torch.zeros(len(tasks)), lr)

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:  # noqa: ARG002 (alike for all)
        """Add gradients, see `Balancer`, and take a step of the log variances."""
        weights = self.factors * torch.exp(-self.log_variances.values)
        balanced = weights * self.weighted(losses)
        torch.autograd.backward(balanced.sum())
        self.log_variances.step(0.5 - balanced.detach(), losses.detach() != 0)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the log variances and the state of their optimiser."""
        return self.log_variances.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.log_variances.load_state_dict(state)


def _factor(task: Task) -> float:
    return 0.5 if isinstance(task, RegressionTask) and task.loss == "squared" else 1.0
