"""Towers of the tasks, and where their outputs start from."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyrank.tasks import OrdinalTask, Task

from .config import ModelConfig
from .layers import GroupedMLP

SMALLEST_STEP = 1e-3
"""Between two thresholds at the start: below it the gradient of a step hardly moves it."""


def num_outputs(task: Task) -> int:
    """Return how many numbers a tower gives for the task; thresholds make more of that of an ordinal task."""
    return 1 if isinstance(task, OrdinalTask) else task.num_logits


class Towers(nn.Module):
    """Layers of each task over its representation, and a linear map without bias to its outputs.

    Args:
        tasks: T of them.
        input_dim: H, of the representation.
        config: widths of the towers; under `shared_bottom` they read one representation (B, H), not (B, T, H).
    """

    def __init__(self, tasks: Sequence[Task], input_dim: int, config: ModelConfig) -> None:
        super().__init__()
        dims, options, self.is_common = config.tower_dims, config.layer_options, config.architecture == "shared_bottom"
        hidden = GroupedMLP(len(tasks), input_dim, dims, shares_input=self.is_common, options=options) if dims else None
        self.hidden = hidden
        self.widths = [num_outputs(task) for task in tasks]
        self.output = nn.Linear((input_dim, *dims)[-1], sum(self.widths), bias=False)

    def forward(self, representation: Tensor) -> Tensor:
        """Give the outputs of all tasks side by side: (B, H) or (B, T, H) to (B, R)."""
        hidden = representation if self.hidden is None else self.hidden(representation)
        weight: Tensor = self.output.weight
        if hidden.dim() == 2:  # noqa: PLR2004 (one representation, and no hidden layer)
            return functional.linear(hidden, weight)
        if len(weight) == len(self.widths):
            if self.hidden is None or self.is_common:
                return (hidden * weight).sum(2)
            # What layers of each task's own give lies task by task, as a batched product takes it.
            return torch.bmm(hidden.transpose(0, 1), weight.unsqueeze(2)).squeeze(2).t()
        parts = zip(hidden.unbind(1), torch.split(weight, self.widths), strict=True)
        return torch.cat([functional.linear(own, rows) for own, rows in parts], dim=1)


class Baseline(nn.Module):
    """What the outputs of every row start from: a bias for each, and the thresholds of ordinal tasks.

    The logits of an ordinal task are `output + bias - steps before`, of positive steps, so that they decrease.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.widths = [num_outputs(task) for task in tasks]
        self.bias = nn.Parameter(torch.zeros(sum(self.widths)))
        self.adds_bias = True
        # By position, since a task may have a name that a container of PyTorch has a method of.
        self.steps = nn.ParameterDict(
            {
                f"task_{index}": torch.zeros(task.num_logits - 1)
                for index, task in enumerate(tasks)
                if isinstance(task, OrdinalTask) and task.num_logits > 1
            }
        )

    def forward(self, outputs: Tensor) -> Tensor:
        """Add the bias, and take the thresholds off: (B, R) to logits (B, O)."""
        outputs = outputs + self.bias if self.adds_bias else outputs
        if not self.steps:
            return outputs
        parts = list(torch.split(outputs, self.widths, dim=1))
        for index, part in enumerate(parts):
            if f"task_{index}" in self.steps:
                later = part - functional.softplus(self.steps[f"task_{index}"]).cumsum(0)
                parts[index] = torch.cat([part, later], dim=1)
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def start_at(self, logits: Sequence[Tensor]) -> None:
        """Give a row whose outputs are 0 these logits, float32 (num_logits,) of each task; those of levels decrease."""
        for index, (own, bias) in enumerate(zip(logits, torch.split(self.bias, self.widths), strict=True)):
            bias.copy_(own[: len(bias)])
            if f"task_{index}" in self.steps:
                steps = -own.diff().clamp(max=-SMALLEST_STEP)
                self.steps[f"task_{index}"].copy_(steps + torch.log(-torch.expm1(-steps)))
