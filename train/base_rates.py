"""What labels are on average: where the outputs of a model start from."""

import itertools
from collections import Counter

import numpy as np
import torch
from numpy.typing import NDArray

from polyrank.models import ModelConfig
from polyrank.models.chain import Chain, chain_of, entire_space_labels
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

PRIOR = 0.5
"""Rows added to each class, so that one that never occurs has a logarithm (Krichevsky and Trofimov, IEEE Trans. Inf.
Theory 27, 1981)."""


class BaseRates:
    """Sums over the labels of training rows, and the logits of a model that knows nothing else.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, section 3.3, start a rare class so; else the first
    steps learn what a mean would say.
    """

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        """Prepare to read labels.

        Raises:
            ConfigError: the architecture needs a chain of tasks, and the schema has none.
        """
        self._tasks = schema.tasks
        self._chain = chain_of(schema, config)
        self._sums = [np.zeros(_num_sums(task)) for task in schema.tasks]
        self._num_rows, self._weight = 0, 0.0
        self._observed = np.zeros(len(schema.tasks), np.int64)
        self._out_of_order: Counter[tuple[int, int]] = Counter()

    def add(self, labels: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> None:
        """Read the next training rows: labels [B, T], NaN where unobserved, and weights [B] if rows have any."""
        if self._chain is not None:
            for before, after in itertools.pairwise(self._chain.tasks):
                self._out_of_order[before, after] += int(((labels[:, before] == 0) & (labels[:, after] == 1)).sum())
            labels = entire_space_labels(torch.from_numpy(labels), self._chain).numpy()
        self._observed += np.count_nonzero(~np.isnan(labels), axis=0)
        if self._chain is not None and self._chain.multiplies:
            labels = _given(labels, self._chain)
        counted = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
        self._num_rows, self._weight = self._num_rows + len(labels), self._weight + float(counted.sum())
        for index, (task, column) in enumerate(zip(self._tasks, labels.T, strict=True)):
            observed = ~np.isnan(column)
            self._sums[index] += _sums(task, column[observed], counted[observed])

    def out_of_order(self) -> dict[tuple[str, str], float]:
        """Return by pair of tasks in a chain the share of rows where the later came true without the one before."""
        names = [task.name for task in self._tasks]
        return {
            (names[before], names[after]): count / self._num_rows
            for (before, after), count in self._out_of_order.items()
        }

    def label_shares(self) -> NDArray[np.float32]:
        """Return how many rows have a label of each task, float32 (T,), as a share of those of the task with most."""
        shares: NDArray[np.float64] = self._observed / max(1, self._observed.max())
        return shares.astype(np.float32)

    def logits(self) -> tuple[NDArray[np.float32], ...]:
        """Return the logits of each task, float32 (num_logits,): those whose answer is the mean, or the shares."""
        unit = self._weight / self._num_rows if self._weight > 0.0 else 1.0
        return tuple(
            _logits(task, sums / unit).astype(np.float32) for task, sums in zip(self._tasks, self._sums, strict=True)
        )


def _given(labels: NDArray[np.float32], chain: Chain) -> NDArray[np.float32]:
    """Return the labels that a logit of the chain stands for: where the task before came true."""
    given = labels.copy()
    for before, after in itertools.pairwise(chain.tasks):
        given[labels[:, before] != 1, after] = np.nan
    return given


def _num_sums(task: Task) -> int:
    """How many sums a task needs: a count for each class, or a count and a sum of values."""
    match task:
        case OrdinalTask():
            return len(task.levels)
        case MulticlassTask():
            return task.num_classes
    return 2


def _sums(task: Task, labels: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    match task:
        case BinaryTask() | MulticlassTask():
            classes = labels.astype(np.int64)
        case OrdinalTask():
            classes = np.searchsorted(np.array(task.levels, np.float32), labels)
        case _:
            values = labels.astype(np.float64)
            values = np.log1p(values) if isinstance(task, RegressionTask) and task.transform == "log1p" else values
            return np.array([weights.sum(), weights @ values])
    return np.bincount(classes, weights=weights, minlength=_num_sums(task)).astype(np.float64)


def _logits(task: Task, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    match task:
        case RegressionTask():
            return np.array([sums[1] / sums[0] if sums[0] > 0.0 else 0.0])
        case CountTask():
            return np.array([np.log(sums[1] + PRIOR) - np.log(sums[0] + PRIOR)])
    counts = sums + PRIOR
    at_most = counts.cumsum()[:-1]  # a binary task has two levels
    is_ordered = not isinstance(task, MulticlassTask)
    parts, rest = (counts.sum() - at_most, at_most) if is_ordered else (counts, counts.sum())
    found: NDArray[np.float64] = np.log(parts) - np.log(rest)
    return found
