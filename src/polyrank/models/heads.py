"""From a task's logit to its answer in label units, and from logits and labels to its loss."""

import torch
from torch import Tensor
from torch.nn import functional

from polyrank.tasks import BinaryTask, Task

MAX_LOG_ANSWER = 30.0
"""Cap on the log1p of an answer, so that no input makes it infinite: e**30 is about 1e13."""


def answer(task: Task, logit: Tensor) -> Tensor:
    """Map a logit (B, 1) to a probability or to label units, float32 (B, 1)."""
    if isinstance(task, BinaryTask):
        return torch.sigmoid(logit)
    if task.transform == "log1p":
        return torch.expm1(logit.clamp(0.0, MAX_LOG_ANSWER))
    return logit


def loss(task: Task, logit: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean loss over observed labels, a scalar; 0 when no label of the batch is observed.

    Args:
        task: decides the loss: log-loss for binary, squared error for regression (of log1p, where so declared).
        logit: float32 (B,).
        label: float32 (B,), NaN where unobserved.
        weight: float32 (B,), of each row's loss, 1 on average; None weighs all alike.
    """
    observed = ~label.isnan()
    target = torch.where(observed, label, 0.0)
    if isinstance(task, BinaryTask):
        losses = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    else:
        losses = functional.mse_loss(logit, torch.log1p(target) if task.transform else target, reduction="none")
    if weight is not None:
        losses = losses * weight
    return (losses * observed).sum() / observed.sum().clamp(min=1)
