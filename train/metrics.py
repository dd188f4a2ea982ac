"""How good answers are, by task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import auc
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, Task

Metrics = dict[str, dict[str, float]]
"""Metric by name, by task name."""


def evaluate(schema: Schema, answers: Mapping[str, NDArray[np.float32]], labels: NDArray[np.float32]) -> Metrics:
    """Score answers against observed labels.

    Args:
        schema: names the tasks.
        answers: float32 [B] by task, in label units.
        labels: float32 [B, T], NaN where unobserved.

    Returns:
        `auc` for a binary task; `rmse`, and under log1p also `rmsle`, for a regression task. NaN where undefined.
    """
    return {task.name: _task_metrics(task, answers[task.name], labels[:, i]) for i, task in enumerate(schema.tasks)}


def rmse(predicted: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Root mean squared error; NaN when there is nothing to compare."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else float("nan")


def _task_metrics(task: Task, answers: NDArray[np.float32], labels: NDArray[np.float32]) -> dict[str, float]:
    observed = ~np.isnan(labels)
    predicted, actual = answers[observed].astype(np.float64), labels[observed].astype(np.float64)
    if isinstance(task, BinaryTask):
        return {"auc": auc(predicted, actual == 1)}
    metrics = {"rmse": rmse(predicted, actual)}
    if task.transform == "log1p":
        metrics["rmsle"] = rmse(np.log1p(predicted), np.log1p(actual))
    return metrics
