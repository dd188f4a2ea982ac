"""A network of a few weights, a batch for it, and its losses, to compare gradients with formulas."""

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyrank.features import NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task
from polyrank.train.balancing import Balancer, BalancingConfig, build_balancer

CLICK = BinaryTask(name="click", label="is_click", weight=0.7)
LIKE = BinaryTask(name="like", label="is_like")
RATING = RegressionTask(name="rating", label="stars", weight=1.5)
ROWS = 16
INPUTS = 3
NAN = float("nan")


@dataclasses.dataclass
class SmallCase:
    """Losses (T,) of a batch, and what they depend on, in 64 bits."""

    model: MultiTaskRanker
    leaves: list[Tensor]
    labels: Tensor

    def losses(self) -> Tensor:
        return self.model.losses(self.model.network(self.leaves), self.labels)

    def tensors(self) -> list[Tensor]:
        """Return all that has a gradient."""
        return [*self.model.network.parameters(), *self.leaves]

    def own_parameters(self) -> list[Tensor]:
        """Return the parameters that are not shared."""
        shared = {id(parameter) for parameter in self.model.network.shared_parameters()}
        return [parameter for parameter in self.model.network.parameters() if id(parameter) not in shared]

    def clear(self) -> None:
        for tensor in (*self.leaves, *self.model.parameters()):
            tensor.grad = None

    def gradients(self, loss: Tensor, wanted: Sequence[Tensor]) -> NDArray[np.float64]:
        """Return the gradient of a loss, one number after another."""
        parts = torch.autograd.grad(loss, list(wanted), retain_graph=True, materialize_grads=True)
        return np.concatenate([part.numpy().ravel() for part in parts])


def small_case(
    *tasks: Task, architecture: Any = "shared_bottom", interaction: Any = "none", unobserved: Sequence[int] = ()
) -> SmallCase:
    """Make a network of one hidden layer with random weights, and labels, NaN for the tasks in `unobserved`."""
    torch.manual_seed(3)
    features = tuple(NumericFeature(name=f"x{index}") for index in range(INPUTS))
    config = ModelConfig(
        architecture=architecture, interaction=interaction, hidden_dims=(4,), tower_dims=(3,), normalization="none"
    )
    model = MultiTaskRanker(Schema(name="toy", features=features, tasks=tasks).resolved(), config).double()
    width = cast("Any", model.inputs[0]).output_dim
    leaves = [
        torch.randn(ROWS, width, dtype=torch.float64, requires_grad=True) for _ in range(model.network.num_inputs)
    ]
    labels = torch.randint(2, (ROWS, len(tasks))).double()
    labels[:, list(unobserved)] = NAN
    return SmallCase(model, leaves, labels)


def found_gradient(tensors: Sequence[Tensor]) -> NDArray[np.float64]:
    """Return `.grad` of tensors, one number after another."""
    found = [tensor.grad.numpy().ravel() for tensor in tensors if tensor.grad is not None]
    return np.concatenate([np.zeros(0), *found])


def balancer_of(method: Any, *tasks: Task, seed: int = 0, **options: Any) -> Balancer:
    """Make a balancer."""
    return build_balancer(BalancingConfig(method=method, **options), tasks, seed=seed)
