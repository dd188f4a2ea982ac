"""Maps that make probabilities what they say, fitted after training; part of the model and of its graph."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from polyrank.tasks import BinaryTask, MulticlassTask, Task

Method = Literal["none", "temperature", "platt", "isotonic"]

MAX_KNOTS = 64
"""Of an isotonic map."""

MAX_SLOPE = 10.0
"""Of calibrated by raw logits: it multiplies what the last bits of a raw one are, which differ between processors."""


class LinearMap(nn.Module):
    """`slope * logit + shift`.

    Temperature (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2) divides by a number: its
    shift stays 0. Platt (Probabilistic Outputs for Support Vector Machines, 1999) has both.

    Args:
        has_shift: whether it is fitted.
    """

    slope: Tensor  # ()
    shift: Tensor  # ()

    def __init__(self, *, has_shift: bool) -> None:
        super().__init__()
        self.has_shift = has_shift
        self.register_buffer("slope", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def forward(self, logits: Tensor) -> Tensor:
        """Map float32 (B, num_logits) to the same shape."""
        return logits * self.slope + self.shift

    def load(self, slope: float, shift: float = 0.0) -> None:
        """Take what was fitted."""
        self.slope.fill_(slope)
        self.shift.fill_(shift)


class MonotoneMap(nn.Module):
    """The line through knots, which rise; beyond the ends it goes on with a slope of its own.

    `value[0] + sum over i of (value[i + 1] - value[i]) * clamp((x - knot[i]) / (knot[i + 1] - knot[i]), 0, 1)`, so that
    the graph has no loop. Before anything is loaded it is the identity.
    """

    starts: Tensor  # (MAX_KNOTS - 1,)
    widths: Tensor  # (MAX_KNOTS - 1,)
    steps: Tensor  # (MAX_KNOTS - 1,)
    ends: Tensor  # (2,), the first knot and the last
    base: Tensor  # ()
    tail: Tensor  # ()

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("starts", torch.zeros(MAX_KNOTS - 1))
        self.register_buffer("widths", torch.ones(MAX_KNOTS - 1))
        self.register_buffer("steps", torch.zeros(MAX_KNOTS - 1))
        self.register_buffer("ends", torch.zeros(2))
        self.register_buffer("base", torch.zeros(()))
        self.register_buffer("tail", torch.ones(()))

    def forward(self, logits: Tensor) -> Tensor:
        """Map float32 (B, 1) to the same shape."""
        parts = ((logits - self.starts) / self.widths).clamp(0.0, 1.0)  # (B, K - 1)
        beyond = (logits - self.ends[0]).clamp(max=0.0) + (logits - self.ends[1]).clamp(min=0.0)
        return self.base + (parts * self.steps).sum(1, keepdim=True) + self.tail * beyond

    def load(self, knots: Sequence[float], values: Sequence[float], tail: float) -> None:
        """Take what was fitted: at least two knots and at most `MAX_KNOTS`, which rise as 32-bit numbers."""
        at, to = torch.tensor(knots), torch.tensor(values, dtype=torch.float64)
        count = len(at) - 1
        self.starts.fill_(float(at[-1]))
        self.starts[:count] = at[:-1]
        self.widths.fill_(1.0)
        self.widths[:count] = at.double().diff().float()
        self.steps.zero_()
        self.steps[:count] = to.diff().float()
        self.ends.copy_(at[[0, -1]])
        self.base.fill_(float(to[0]))
        self.tail.fill_(tail)


class Calibration(nn.Module):
    """A map for each task whose answers are probabilities; a multiclass task always has a temperature.

    Args:
        tasks: T of them.
        method: of binary tasks; `none` has no map for any task.
    """

    def __init__(self, tasks: Sequence[Task], method: Method) -> None:
        super().__init__()
        # By position, since a task may have a name that a container of PyTorch has a method of.
        self.maps = nn.ModuleDict(
            {f"task_{index}": _map(task, method) for index, task in enumerate(tasks) if _is_calibrated(task, method)}
        )

    def of(self, index: int) -> LinearMap | MonotoneMap | None:
        """Return the map of the task at a position of the schema, None where it has none."""
        found = dict(self.maps.items()).get(f"task_{index}")
        return found if isinstance(found, LinearMap | MonotoneMap) else None

    def forward(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Map logits (B, num_logits) of each task."""
        maps = (self.of(index) for index in range(len(parts)))
        return [part if own is None else own(part) for part, own in zip(parts, maps, strict=True)]


def _is_calibrated(task: Task, method: Method) -> bool:
    return method != "none" and isinstance(task, BinaryTask | MulticlassTask)


def _map(task: Task, method: Method) -> nn.Module:
    if method == "isotonic" and isinstance(task, BinaryTask):
        return MonotoneMap()
    return LinearMap(has_shift=method == "platt" and isinstance(task, BinaryTask))
