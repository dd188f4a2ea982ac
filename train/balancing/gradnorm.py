"""GradNorm: weights that bring the tasks' gradients on shared layers to norms of one scale."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from polyrank.models.ranker import Network
from polyrank.tasks import Task
from polyrank.train.processes import ALONE, Processes

from .adam import TaskAdam
from .fixed import FixedWeights
from .gradients import last_shared_weight, task_gradients

MIN_WEIGHT = 1e-3
"""Adam may step below 0, where a weight would turn its task's gradient around."""


class GradientNormalization(FixedWeights):
    """Weights `w`, T in sum, that learn to bring the norm of a task's gradient to a target.

    With `G[i] = |d(w[i] L[i])/dW|`, where W is the weight of the last shared layer (the inputs of the network, where
    the tasks share no layer), and `r[i] = (L[i] / L0[i]) / mean(L / L0)`, they go down the gradient of
    `sum(abs(G[i] - mean(G) * r[i] ** alpha))`, in which the target is a constant; `L0` is the task's loss in the first
    batch that observed it. A batch moves the weights of the tasks that it observed, and keeps their sum; means are over
    these too. Since `G[i]` is linear in `w[i]`,
    the gradient is `sign(G[i] - target[i]) * |dL[i]/dW|`, and takes no second derivative. Chen et al., GradNorm:
    Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks, ICML 2018, section 3.2, equation 2,
    and algorithm 1.
    """

    def __init__(self, tasks: Sequence[Task], alpha: float, lr: float, processes: Processes = ALONE) -> None:
        super().__init__(tasks)
        self._processes = processes
        self.alpha = alpha
        self.weights = TaskAdam(torch.ones(len(tasks)), lr)
        self.first_losses = torch.full((len(tasks),), torch.nan)

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:
        """Add gradients, see `Balancer`, and take a step of the weights."""
        losses = self.weighted(losses)
        norms = gradient_norms(losses, network, inputs, self._processes)
        torch.autograd.backward((self.weights.values * losses).sum())
        self._learn(losses.detach(), norms)

    def _learn(self, losses: Tensor, norms: Tensor) -> None:
        observed = norms > 0
        first = self.first_losses
        self.first_losses = torch.where(observed & first.isnan(), losses, first)
        before = self.weights.values
        self.weights.step(weight_gradient(before, norms, losses / self.first_losses, self.alpha), observed)
        after = self.weights.values.clamp(min=MIN_WEIGHT)
        scale = (before * observed).sum() / (after * observed).sum().clamp(min=MIN_WEIGHT)
        self.weights.values = torch.where(observed, after * scale, before)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the weights, the state of their optimiser and the first losses."""
        return {**self.weights.state_dict(), "first_losses": self.first_losses.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.weights.load_state_dict(state)
        self.first_losses = state["first_losses"].clone()


def gradient_norms(losses: Tensor, network: Network, inputs: Sequence[Tensor], processes: Processes = ALONE) -> Tensor:
    """Return the norm of each loss's gradient (T,) on the last shared layer, or on the inputs where there is none.

    Of the layer the gradients add up over processes; of inputs each process has some rows.
    """
    weight = last_shared_weight(network)
    wanted = list(inputs) if weight is None else [weight]
    by_task = (task_gradients(loss, wanted) for loss in losses.unbind())
    gradients = torch.stack([torch.cat([part.flatten() for part in parts]) for parts in by_task])
    if weight is not None:
        return processes.add(gradients).square().sum(1).sqrt()
    return processes.add(gradients.square().sum(1)).sqrt()


def weight_gradient(weights: Tensor, norms: Tensor, ratios: Tensor, alpha: float) -> Tensor:
    """Return the gradient of GradNorm's loss with respect to the weights, (T,).

    Args:
        weights: (T,).
        norms: of the gradients of the losses without weights, (T,); 0 where the batch does not observe the task.
        ratios: of the losses to the first ones, (T,); not looked at where a task is not observed.
        alpha: strength of the pull towards tasks that lag behind.
    """
    observed = norms > 0
    count = observed.sum().clamp(min=1)
    ratios = torch.where(observed, ratios, 0.0)
    rates = ratios * count / ratios.sum()
    target = (weights * norms).sum() / count * rates**alpha
    return torch.where(observed, torch.sign(weights * norms - target) * norms, 0.0)
