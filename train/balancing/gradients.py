"""Gradients of one task at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.models.layers import GroupedLinear
from polyrank.models.ranker import Network


def last_shared_weight(network: Network) -> Tensor | None:
    """Find the weight of the last layer that several tasks train; None where they share no layer."""
    shared = {id(parameter) for parameter in network.shared_parameters()}
    for part in (network.layers, network.crosses):
        layers = () if part is None else part.modules()
        weights = [layer.weight for layer in layers if isinstance(layer, nn.Linear | GroupedLinear)]
        found = [weight for weight in weights if id(weight) in shared]
        if found:
            return found[-1]
    return None


def task_gradients(loss: Tensor, wanted: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of one loss, 0 where it depends on nothing; the graph is kept for the next loss."""
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(of) if part is None else part for part, of in zip(found, wanted, strict=True)]


def add_gradient(to: Tensor, gradient: Tensor | None) -> None:
    """Add to `.grad`, as a backward pass does."""
    if gradient is not None:
        to.grad = gradient if to.grad is None else to.grad + gradient
