"""How good answers are, by task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import auc
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task

Metrics = dict[str, dict[str, float]]
"""Metric by name, by task name."""


def evaluate(
    schema: Schema,
    answers: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.float32],
    groups: NDArray[np.int64] | None = None,
) -> Metrics:
    """Score answers against observed labels.

    Args:
        schema: names the tasks.
        answers: float32 [B] by task, in label units.
        labels: float32 [B, T], NaN where unobserved.
        groups: int64 [B], such as the user of each row; -1 is none.

    Returns:
        `auc` for a binary task, with groups also `gauc`; `rmse`, and under log1p also `rmsle`, for a regression task.
        NaN where undefined.
    """
    metrics = {task.name: _task_metrics(task, answers[task.name], labels[:, i]) for i, task in enumerate(schema.tasks)}
    for index, task in enumerate(schema.tasks):
        if isinstance(task, BinaryTask) and groups is not None:
            counts = ~np.isnan(labels[:, index]) & (groups >= 0)
            scores = answers[task.name][counts].astype(np.float64)
            metrics[task.name]["gauc"] = grouped_auc(scores, labels[counts, index] == 1, groups[counts])
    return metrics


def grouped_auc(scores: NDArray[np.float64], positive: NDArray[np.bool_], groups: NDArray[np.int64]) -> float:
    """Area under the ROC curve within each group, averaged by the number of rows; NaN when no group has both classes.

    Zhou et al., Deep Interest Network, KDD 2018, section 4.2.
    """
    order = np.lexsort((scores, groups))
    _, firsts, group_of, sizes = np.unique(groups[order], return_index=True, return_inverse=True, return_counts=True)
    pairs = np.stack([group_of, scores[order]], axis=1)
    is_new = np.ones(len(pairs), bool)
    is_new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    first_ties = np.flatnonzero(is_new)
    middles = first_ties + (np.diff(first_ties, append=len(pairs)) - 1) / 2
    ranks = middles[np.cumsum(is_new) - 1] - firsts[group_of] + 1
    hits = positive[order]
    rank_sums = np.bincount(group_of, weights=ranks * hits, minlength=len(sizes))
    num_positive = np.bincount(group_of, weights=hits, minlength=len(sizes))
    num_negative = sizes - num_positive
    both = (num_positive > 0) & (num_negative > 0)
    if not both.any():
        return float("nan")
    areas = rank_sums[both] - num_positive[both] * (num_positive[both] + 1) / 2
    return float(np.average(areas / (num_positive[both] * num_negative[both]), weights=sizes[both]))


def rmse(predicted: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Root mean squared error; NaN when there is nothing to compare."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else float("nan")


def _task_metrics(task: Task, answers: NDArray[np.float32], labels: NDArray[np.float32]) -> dict[str, float]:
    observed = ~np.isnan(labels)
    predicted, actual = answers[observed].astype(np.float64), labels[observed].astype(np.float64)
    if isinstance(task, BinaryTask):
        return {"auc": auc(predicted, actual == 1)}
    metrics = {"rmse": rmse(predicted, actual)}
    if isinstance(task, RegressionTask) and task.transform == "log1p":
        metrics["rmsle"] = rmse(np.log1p(predicted), np.log1p(actual))
    return metrics
