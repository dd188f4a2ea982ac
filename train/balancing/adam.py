"""Adam for one number of each task."""

from collections.abc import Mapping

import torch
from torch import Tensor

ADAM_BETAS = (0.9, 0.999)
EPSILON = 1e-8


class TaskAdam:
    """Numbers (T,) and the moments of their gradients; a task moves, and counts a step, only where it is observed.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1.
    """

    def __init__(self, values: Tensor, lr: float) -> None:
        self.values, self.lr = values, lr
        self.means, self.squares, self.steps = (torch.zeros_like(values) for _ in range(3))

    def step(self, gradient: Tensor, observed: Tensor) -> None:
        """Take a step down a gradient (T,), for the observed tasks, bool (T,)."""
        first, second = ADAM_BETAS
        self.steps = self.steps + observed
        self.means = torch.where(observed, first * self.means + (1 - first) * gradient, self.means)
        self.squares = torch.where(observed, second * self.squares + (1 - second) * gradient.square(), self.squares)
        mean = self.means / (1 - first**self.steps)
        root = (self.squares / (1 - second**self.steps)).sqrt()
        self.values = torch.where(observed, self.values - self.lr * mean / (root + EPSILON), self.values)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the numbers, their moments and steps."""
        kept = {"values": self.values, "means": self.means, "squares": self.squares, "steps": self.steps}
        return {name: tensor.clone() for name, tensor in kept.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.values, self.means = state["values"].clone(), state["means"].clone()
        self.squares, self.steps = state["squares"].clone(), state["steps"].clone()
