"""Towers of the tasks, their logits, the answers in label units that follow, and the losses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

from .config import ModelConfig
from .layers import GroupedMLP

MAX_LOG_ANSWER = 30.0
"""Cap on the logarithm of an answer, so that no input makes it infinite: e**30 is about 1e13."""


class Towers(nn.Module):
    """Layers of each task over its representation, and a linear map to its logits.

    Args:
        tasks: T of them.
        input_dim: H, of the representation.
        config: widths of the towers; under `shared_bottom` they read one representation (B, H), not (B, T, H).
    """

    owners: Tensor  # (R,), the task of each output

    def __init__(self, tasks: Sequence[Task], input_dim: int, config: ModelConfig) -> None:
        super().__init__()
        self.tasks, dims = tuple(tasks), config.tower_dims
        is_common, options = config.architecture == "shared_bottom", config.layer_options
        hidden = GroupedMLP(len(tasks), input_dim, dims, shares_input=is_common, options=options) if dims else None
        self.hidden = hidden
        widths = [_num_outputs(task) for task in tasks]
        owners = torch.arange(len(tasks)).repeat_interleave(torch.tensor(widths))
        self.register_buffer("owners", owners, persistent=False)
        self.output = nn.Linear((input_dim, *dims)[-1], sum(widths))
        self.thresholds = nn.ParameterDict(
            {f"task_{index}": _thresholds(task) for index, task in enumerate(tasks) if isinstance(task, OrdinalTask)}
        )
        self.widths = widths

    def forward(self, representation: Tensor) -> Tensor:
        """Give the logits of all tasks side by side: (B, H) or (B, T, H) to (B, O)."""
        hidden = representation if self.hidden is None else self.hidden(representation)
        if hidden.dim() == 2:  # noqa: PLR2004 (one representation, and no hidden layer)
            outputs = self.output(hidden)
        else:
            own = hidden.index_select(1, self.owners) if len(self.owners) > len(self.tasks) else hidden  # (B, R, H)
            outputs = (own * self.output.weight).sum(2) + self.output.bias
        if not self.thresholds:
            return outputs  # type: ignore[no-any-return]
        parts = list(torch.split(outputs, self.widths, dim=1))
        for index, task in enumerate(self.tasks):
            if isinstance(task, OrdinalTask):
                parts[index] = parts[index] - increasing(self.thresholds[f"task_{index}"])
        return torch.cat(parts, dim=1)


def increasing(steps: Tensor) -> Tensor:
    """Return thresholds (K - 1,) in increasing order: the first, and then the softplus of each step."""
    return torch.cat([steps[:1], functional.softplus(steps[1:])]).cumsum(0)


def split(tasks: Sequence[Task], logits: Tensor) -> list[Tensor]:
    """Split logits (B, O) by task: (B, num_logits) each."""
    return list(torch.split(logits, [task.num_logits for task in tasks], dim=1))


def answer(task: Task, logits: Tensor) -> Tensor:
    """Map logits (B, num_logits) to label units, float32 (B, num_answers): probabilities, or a number."""
    match task:
        case BinaryTask():
            return torch.sigmoid(logits)
        case RegressionTask(transform="log1p"):
            return torch.expm1(logits.clamp(0.0, MAX_LOG_ANSWER))
        case OrdinalTask():
            steps = torch.tensor(task.levels, device=logits.device).diff()
            return task.levels[0] + (torch.sigmoid(logits) * steps).sum(1, keepdim=True)
        case MulticlassTask():
            return logits.softmax(1)
        case CountTask():
            return logits.clamp(max=MAX_LOG_ANSWER).exp()
    return logits


def loss(task: Task, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean loss over observed labels, a scalar; 0 when no label of the batch is observed.

    Args:
        task: decides the loss.
        logits: float32 (B, num_logits).
        label: float32 (B,), NaN where unobserved.
        weight: float32 (B,), of each row's loss, 1 on average; None weighs all alike.
    """
    observed = ~label.isnan()
    losses = row_losses(task, logits, torch.where(observed, label, _any_label(task)))
    if weight is not None:
        losses = losses * weight
    return (losses * observed).sum() / observed.sum().clamp(min=1)


def row_losses(task: Task, logits: Tensor, target: Tensor) -> Tensor:
    """Return the loss of each row, float32 (B,), of logits (B, num_logits) and observed labels (B,)."""
    logit = logits[:, 0]
    match task:
        case BinaryTask():
            return functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
        case RegressionTask():
            target = torch.log1p(target) if task.transform else target
            if task.loss == "huber":
                return functional.huber_loss(logit, target, reduction="none", delta=task.huber_delta)
            return functional.mse_loss(logit, target, reduction="none")
        case OrdinalTask():
            return _ordinal_losses(task, logits, target)
        case MulticlassTask():
            return functional.cross_entropy(logits, target.long(), reduction="none")
        case CountTask():
            return functional.poisson_nll_loss(logit.clamp(max=MAX_LOG_ANSWER), target, reduction="none")


def _ordinal_losses(task: OrdinalTask, logits: Tensor, target: Tensor) -> Tensor:
    """Return `-log(P(above the level below) - P(above the level))`, without a difference of two near 1.

    With logits `a >= b`: `sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))`.
    """
    level = torch.bucketize(target, torch.tensor(task.levels, device=target.device))  # (B,), 0 to K - 1
    last = logits.shape[1]
    below = logits.gather(1, (level - 1).clamp(min=0).unsqueeze(1)).squeeze(1)  # P(above the level below)
    above = logits.gather(1, level.clamp(max=last - 1).unsqueeze(1)).squeeze(1)
    is_inner = (level > 0) & (level < last)
    gap = torch.where(is_inner, above - below, -1.0).clamp(max=-1e-6)
    inner = torch.where(is_inner, torch.log(-torch.expm1(gap)), 0.0)
    first = torch.where(level > 0, functional.logsigmoid(below), 0.0)
    second = torch.where(level < last, functional.logsigmoid(-above), 0.0)
    return -(first + second + inner)


def _num_outputs(task: Task) -> int:
    """How many numbers the tower gives; thresholds make more of that of an ordinal task."""
    return 1 if isinstance(task, OrdinalTask) else task.num_logits


def _thresholds(task: OrdinalTask) -> nn.Parameter:
    return nn.Parameter(torch.cat([torch.tensor([-1.0]), torch.zeros(len(task.levels) - 2)]))


def _any_label(task: Task) -> float:
    """Return a label that has a loss, to stand where none was observed."""
    return task.levels[0] if isinstance(task, OrdinalTask) else 0.0
