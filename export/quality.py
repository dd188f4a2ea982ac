"""What smaller numbers cost: the metric of each task on labelled validation rows, before and after."""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ParityError
from polyrank.tasks import BinaryTask, MulticlassTask, Task

from .answers import Answers
from .subject import Subject

MAX_LOSS = 1e-3
"""Of AUC, of log-loss, or of an RMSE relative to itself."""

SURE = 2.0
"""Standard errors that a loss must be away from what is accepted."""

_SMALLEST = 2.0**-23

Floats = NDArray[np.float64]


class MetricLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What a task loses.

    Attributes:
        task: name of the task.
        metric: `auc` of a binary task, `log_loss` of a multiclass one, else `rmse`.
        before: with 32 bits.
        after: with smaller numbers.
        loss: `before - after` of an AUC, `after - before` of a log-loss, `after / before - 1` of an RMSE; below 0 it
            is a gain.
        error: standard error of the loss, of rows drawn anew for both alike.
    """

    task: str
    metric: str
    before: float
    after: float
    loss: float
    error: float


def metric_losses(ranker: Subject, before: Answers, after: Answers) -> tuple[MetricLoss, ...]:
    """Compare answers to the sample of a run, by task; tasks whose metric is undefined there are left out."""
    if ranker.labels is None:
        return ()
    found = []
    for task, labels in zip(ranker.schema.tasks, ranker.labels.T, strict=True):
        seen = ~np.isnan(labels)
        arguments = (before[task.name][seen], after[task.name][seen], labels[seen])
        loss = _metric(task)(task.name, *(np.asarray(values, np.float64) for values in arguments))
        found += [] if loss is None else [loss]
    return tuple(found)


def is_acceptable(entry: MetricLoss) -> bool:
    """Say whether a task loses no more than is accepted, as far as its rows can tell."""
    return entry.loss - SURE * entry.error <= MAX_LOSS


def require_quality(losses: Sequence[MetricLoss]) -> None:
    """Refuse a task that surely loses more than is accepted.

    Raises:
        ParityError: names the task and what it loses.
    """
    for entry in losses:
        if not is_acceptable(entry):
            raise ParityError(
                f"task {entry.task!r} loses {entry.loss:.4f} of its {entry.metric} (limit {MAX_LOSS}): "
                f"{entry.before:.4f} before and {entry.after:.4f} after; choose larger numbers"
            )


def _metric(task: Task) -> Callable[[str, Floats, Floats, Floats], MetricLoss | None]:
    if isinstance(task, BinaryTask):
        return _auc_loss
    return _log_loss if isinstance(task, MulticlassTask) else _rmse_loss


def _auc_loss(task: str, before: Floats, after: Floats, labels: Floats) -> MetricLoss | None:
    """Compare areas under the ROC curve: means over positives of the share of negatives below."""
    positive = labels > 0
    count = int(positive.sum())
    if count == 0 or count == len(labels):
        return None
    shares = [_shares_below(scores[positive], scores[~positive]) for scores in (before, after)]
    # Rows of both classes are drawn: the errors of the two means add up.
    others = [1.0 - _shares_below(scores[~positive], scores[positive]) for scores in (before, after)]
    error = math.hypot(*(_error(first - second) for first, second in (shares, others)))
    first, second = (float(part.mean()) for part in shares)
    return MetricLoss(task=task, metric="auc", before=first, after=second, loss=first - second, error=error)


def _log_loss(task: str, before: Floats, after: Floats, labels: Floats) -> MetricLoss | None:
    if len(labels) == 0:
        return None
    places = (np.arange(len(labels)), labels.astype(np.int64))
    rows = [-np.log(np.maximum(answers[places], _SMALLEST)) for answers in (before, after)]
    first, second = (float(part.mean()) for part in rows)
    loss, error = second - first, _error(rows[1] - rows[0])
    return MetricLoss(task=task, metric="log_loss", before=first, after=second, loss=loss, error=error)


def _rmse_loss(task: str, before: Floats, after: Floats, labels: Floats) -> MetricLoss | None:
    rows = [(answers - labels) ** 2 for answers in (before, after)]
    if len(labels) == 0 or not rows[0].mean() > 0:
        return None
    first, second = (math.sqrt(part.mean()) for part in rows)
    error = _error(rows[1] - rows[0]) / (2.0 * first**2)
    return MetricLoss(task=task, metric="rmse", before=first, after=second, loss=second / first - 1.0, error=error)


def _shares_below(scores: Floats, others: Floats) -> Floats:
    """Return the share of others below each score, ties counted half."""
    ordered = np.sort(others)
    below, upto = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return np.asarray((below + upto) / (2.0 * len(others)))


def _error(values: Floats) -> float:
    return float(values.std() / math.sqrt(len(values)))
