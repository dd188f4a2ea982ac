"""Gradients of the tasks on what they share, added up by weights that follow from their inner products."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from polyrank.models.ranker import Network
from polyrank.tasks import Task
from polyrank.train.processes import ALONE, Processes

from .fixed import FixedWeights
from .gradients import add_gradient, task_gradients
from .weightings import Weighting


class GradientCombination(FixedWeights):
    """A method sees the gradients of the shared layers, or of the inputs where the tasks share no layer.

    Its weights combine the gradients of these layers and of the inputs that tasks share. Every other parameter, and an
    input of one task beside shared ones, has the plain gradient of `sum(weight * loss)`. A task without a
    gradient, because the batch has no label of it, is left out. Where a gradient is not finite all weights are 1, so
    that the loop meets a loss that is not finite and says so.

    Costs a backward pass for each task, and memory for their gradients: T times the shared layers and the inputs.
    """

    def __init__(self, tasks: Sequence[Task], weighting: Weighting, processes: Processes = ALONE) -> None:
        super().__init__(tasks)
        self._processes = processes
        self.weighting = weighting

    def backward(self, losses: Tensor, network: Network, inputs: Sequence[Tensor]) -> None:
        """Add gradients; see `Balancer`."""
        losses, shared = self.weighted(losses), network.shared_parameters()
        together = network.shared_inputs(inputs)
        wanted = [*shared, *together]
        by_task = [task_gradients(loss, wanted) for loss in losses.unbind()]
        weights = self._weights(self._gramian([parts[: len(shared)] if shared else parts for parts in by_task], shared))
        for tensor, parts in zip(wanted, zip(*by_task, strict=True), strict=True):
            add_gradient(tensor, sum(weight * part for weight, part in zip(weights, parts, strict=True)))
        known = {id(tensor) for tensor in wanted}
        own = [tensor for tensor in (*network.parameters(), *inputs) if id(tensor) not in known]
        torch.autograd.backward(losses.sum(), inputs=own)

    def _gramian(self, by_task: Sequence[Sequence[Tensor]], shared: Sequence[Tensor]) -> Tensor:
        """Return the inner products of the tasks' gradients, float64 (T, T): 32 bits lose small beside large ones.

        Of shared layers the gradients add up over processes; of inputs each process has some rows.
        """
        matrix = torch.stack([torch.cat([part.flatten() for part in parts]) for parts in by_task])
        if shared:
            matrix = self._processes.add(matrix)
        products = matrix.double() @ matrix.double().T
        return (products if shared else self._processes.add(products)).cpu()

    def _weights(self, gramian: Tensor) -> list[float]:
        """Return the weight of each task's gradient from their inner products, float64 (T, T)."""
        weights = torch.ones(len(gramian), dtype=gramian.dtype)
        present = gramian.diagonal() > 0
        if present.sum() > 1 and gramian.isfinite().all():
            products = gramian[present][:, present]
            weights[present] = self.weighting(products / products.diagonal().mean())
        return weights.tolist()

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of what the method remembers."""
        return self.weighting.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.weighting.load_state_dict(state)
