"""The metrics of each task, with intervals."""

import numpy as np

from polyrank.metrics import Bootstrap, Evaluation, Metric, evaluate
from polyrank.metrics.observed import Observed
from polyrank.metrics.registry import metrics_of
from polyrank.tasks import MulticlassTask, Task, kind_of

from .answered import AnsweredRows
from .results import MetricValue, TaskResult


def task_results(rows: AnsweredRows, bootstrap: Bootstrap) -> tuple[TaskResult, ...]:
    """Measure the answers by all metrics of each task."""
    found = evaluate(rows.schema, rows.answers, rows.labels, rows.groups, rows.weights, intervals=bootstrap)
    is_grouped = rows.groups is not None
    return tuple(_result(task, observed, found, is_grouped=is_grouped) for task, observed in rows.by_task())


def _result(task: Task, observed: Observed, found: Evaluation, *, is_grouped: bool) -> TaskResult:
    has_mean = len(observed) > 0 and not isinstance(task, MulticlassTask)
    return TaskResult(
        task=task.name,
        kind=kind_of(task),
        label=task.label,
        rows=len(observed),
        mean_label=float(np.average(observed.labels, weights=observed.weights)) if has_mean else None,
        mean_answer=float(np.average(observed.predicted, weights=observed.weights)) if has_mean else None,
        metrics=tuple(_metric(task, metric, found) for metric in metrics_of(task, grouped=is_grouped)),
        counts=found.counts[task.name],
    )


def _metric(task: Task, metric: Metric, found: Evaluation) -> MetricValue:
    value, interval = found.values[task.name][metric.name], found.intervals[task.name][metric.name]
    return MetricValue(
        name=metric.name,
        best=metric.best,
        value=None if np.isnan(value) else value,
        interval=None if np.isnan(interval).any() else interval,
        undefined=found.undefined[task.name].get(metric.name, ""),
    )
