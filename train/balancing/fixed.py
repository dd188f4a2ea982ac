"""Fixed weights, and what every way of balancing has."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from polyrank.models.ranker import Network
from polyrank.tasks import Task


class Balancer(Protocol):
    """Turns the losses of a batch into gradients."""

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:
        """Add gradients to `.grad` of the network's parameters and of the inputs, as `Tensor.backward` does.

        Args:
            losses: float32 (T,), the mean of each task over its observed labels; 0, with no gradient, where the batch
                has none.
            network: whose layers gave the losses.
            inputs: leaves float32 (B, I) that require gradients, which the network read.
        """

    def end_epoch(self, mean_losses: Tensor) -> None:
        """Take the mean losses (T,) over the labels of the epoch that ended, 0 of a task that had none."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of all that later steps depend on."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""


class FixedWeights:
    """`sum(weight * loss)`, with the weights of the schema: one backward pass, and nothing to remember."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.task_weights = torch.tensor([task.weight for task in tasks])  # (T,)

    def weighted(self, losses: Tensor) -> Tensor:
        """Return the losses (T,), each times the weight of its task."""
        return losses * self.task_weights

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:  # noqa: ARG002 (alike for all)
        """Add gradients; see `Balancer`."""
        torch.autograd.backward(self.weighted(losses).sum())

    def end_epoch(self, mean_losses: Tensor) -> None:
        """Take the mean losses (T,) of the epoch that ended; nothing follows from them."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of all that later steps depend on: nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
