"""Dynamic weight average: tasks whose losses fall slowly weigh more."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from polyrank.models.ranker import Network
from polyrank.tasks import Task

from .fixed import FixedWeights


class DynamicWeightAverage(FixedWeights):
    """Weights of an epoch from the two before it, T in sum: `T * softmax(r / temperature)`, `r = L[t-1] / L[t-2]`.

    All are 1 in the first two epochs. A task that had no loss in one of the two has `r = 1`. Liu et al., End-to-End
    Multi-Task Learning with Attention, CVPR 2019, section 3.3, equation 7.
    """

    def __init__(self, tasks: Sequence[Task], temperature: float) -> None:
        super().__init__(tasks)
        self.temperature = temperature
        self.weights = torch.ones(len(tasks))
        self.last = torch.zeros(len(tasks))

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:  # noqa: ARG002 (alike for all)
        """Add gradients; see `Balancer`."""
        torch.autograd.backward((self.weights * self.weighted(losses)).sum())

    def end_epoch(self, mean_losses: Tensor) -> None:
        """Set the weights of the next epoch from the mean losses (T,) of this one and the one before."""
        losses = mean_losses.detach().to(self.last.dtype)
        rates = torch.where((losses > 0) & (self.last > 0), losses / self.last, 1.0)
        self.weights = len(losses) * torch.softmax(rates / self.temperature, 0)
        self.last = losses.clone()

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the weights of this epoch and the losses of the last."""
        return {"weights": self.weights.clone(), "last": self.last.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.weights, self.last = state["weights"].clone(), state["last"].clone()
