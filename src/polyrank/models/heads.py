"""What the logits of tasks mean: answers in label units, and losses."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

MAX_LOG_ANSWER = 30.0
"""Cap on the logarithm of an answer, so that no input makes it infinite: e**30 is about 1e13."""

SMALLEST_GAP = 1e-6
"""Added between the logits of two thresholds, which may be one number of 32 bits: the gradient then parts them."""


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


def level_probabilities(logits: Tensor) -> Tensor:
    """Return the probability of each level of an ordinal task, (B, K), of logits (B, K - 1), which fall.

    `P(levels[k]) = P(above levels[k - 1]) - P(above levels[k])`. A difference of two that are one number of 32 bits may
    come out below 0 by its last bit.
    """
    above = torch.sigmoid(logits)
    ones, zeros = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    return (torch.cat([ones, above], dim=1) - torch.cat([above, zeros], dim=1)).clamp(min=0.0)


def losses(
    tasks: Sequence[Task],
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """Return the mean loss of each task over its observed labels, (T,); 0 where no label of the batch is observed.

    Args:
        tasks: decide the losses.
        logits: float32 (B, O), of all tasks side by side.
        labels: float32 (B, T), NaN where unobserved.
        weights: float32 (B,), of each row's losses, 1 on average; None weighs all alike.
        counts: (T,), observed labels of the batch that these rows are a part of: gives the part of its mean that these
            rows add; None where they are the batch.
    """
    observed = ~labels.isnan()
    targets = torch.where(observed, labels, _any_labels(tasks, labels))
    if all(isinstance(task, BinaryTask) for task in tasks):
        found = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    else:
        parts = zip(tasks, split(tasks, logits), targets.unbind(1), strict=True)
        found = torch.stack([row_losses(*part) for part in parts], dim=1)
    if weights is not None:
        found = found * weights.unsqueeze(1)
    # A product would make of an infinite loss of an unobserved row one that is not a number.
    totals = torch.where(observed, found, 0.0).sum(0)
    return totals / (observed.sum(0) if counts is None else counts).clamp(min=1)


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
            return _poisson_losses(logit, target)


def _poisson_losses(logit: Tensor, target: Tensor) -> Tensor:
    """Return half the Poisson deviance, `exp(logit) - target + target (log(target) - logit)`, which is 0 or above.

    Of a target of 1 or more it is taken as `target (exp(d) - 1 - d)` of `d = logit - log(target)`, which has no
    difference of large numbers. Above the largest answer it goes on along the tangent, so that nothing overflows.
    """
    capped = logit.clamp(max=MAX_LOG_ANSWER)
    large = target.clamp(min=1.0)
    difference = capped - large.log()
    of_large = large * (torch.expm1(difference) - difference)
    of_small = capped.exp() - target + torch.xlogy(target, target) - target * capped
    return torch.where(target >= 1.0, of_large, of_small) + (logit - capped) * (capped.exp() - target)


def _ordinal_losses(task: OrdinalTask, logits: Tensor, target: Tensor) -> Tensor:
    """Return `-log(P(above the level below) - P(above the level))`, without a difference of two near 1.

    With logits `a >= b`: `sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))`.
    """
    level = torch.bucketize(target.contiguous(), torch.tensor(task.levels, device=target.device))  # (B,), 0 to K - 1
    last = logits.shape[1]
    below = logits.gather(1, (level - 1).clamp(min=0).unsqueeze(1)).squeeze(1)  # P(above the level below)
    above = logits.gather(1, level.clamp(max=last - 1).unsqueeze(1)).squeeze(1)
    is_inner = (level > 0) & (level < last)
    gap = torch.where(is_inner, above - below, -1.0) - SMALLEST_GAP
    inner = torch.where(is_inner, torch.log(-torch.expm1(gap)), 0.0)
    first = torch.where(level > 0, functional.logsigmoid(below), 0.0)
    second = torch.where(level < last, functional.logsigmoid(-above), 0.0)
    return -(first + second + inner)


def _any_labels(tasks: Sequence[Task], labels: Tensor) -> Tensor | float:
    """Return labels that have a loss, to stand where none was observed: (T,), or one for all tasks."""
    if any(isinstance(task, OrdinalTask) for task in tasks):
        return labels.new_tensor([task.levels[0] if isinstance(task, OrdinalTask) else 0.0 for task in tasks])
    return 0.0
