"""The metrics of each task, with intervals."""

import dataclasses

import numpy as np

from polyrank.metrics import Bootstrap, Evaluation, Metric, evaluate
from polyrank.metrics.observed import Observed
from polyrank.metrics.registry import metrics_of
from polyrank.tasks import MulticlassTask, Task, kind_of

from .answered import AnsweredRows
from .findings import Interval, MetricValue
from .influence import INFLUENCES, MIN_UNITS, influence_interval, num_units
from .results import TaskResult


def task_results(rows: AnsweredRows, bootstrap: Bootstrap) -> tuple[TaskResult, ...]:
    """Measure the answers by all metrics of each task.

    An interval is that of the metric's influence where that is known, and of resamples otherwise; there is none of
    fewer than `MIN_UNITS` groups or rows, nor where no resample has a value.
    """
    bootstrap = dataclasses.replace(bootstrap, without=INFLUENCES)
    found = evaluate(rows.schema, rows.answers, rows.labels, rows.groups, rows.weights, intervals=bootstrap)
    is_grouped = rows.groups is not None
    return tuple(
        _result(task, observed, found, bootstrap.level, is_grouped=is_grouped) for task, observed in rows.by_task()
    )


def _result(task: Task, observed: Observed, found: Evaluation, level: float, *, is_grouped: bool) -> TaskResult:
    has_mean = len(observed) > 0 and not isinstance(task, MulticlassTask)
    return TaskResult(
        task=task.name,
        kind=kind_of(task),
        label=task.label,
        rows=len(observed),
        mean_label=float(np.average(observed.labels, weights=observed.weights)) if has_mean else None,
        mean_answer=float(np.average(observed.predicted, weights=observed.weights)) if has_mean else None,
        metrics=tuple(_metric(task, metric, observed, found, level) for metric in metrics_of(task, grouped=is_grouped)),
        counts=found.counts[task.name],
    )


def _metric(task: Task, metric: Metric, observed: Observed, found: Evaluation, level: float) -> MetricValue:
    value = found.values[task.name][metric.name]
    if np.isnan(value):
        return MetricValue(
            name=metric.name, best=metric.best, value=None, undefined=found.undefined[task.name][metric.name]
        )
    if metric.name in INFLUENCES:
        interval = influence_interval(metric.name, observed, value, level)
    else:
        interval = _drawn(task, metric, observed, found)
    return MetricValue(name=metric.name, best=metric.best, value=value, interval=interval)


def _drawn(task: Task, metric: Metric, observed: Observed, found: Evaluation) -> Interval | None:
    rows = np.ones(len(observed), bool)
    count = found.counts[task.name].get(f"{metric.name}.groups", num_units(observed.groups, rows))
    drawn = found.intervals[task.name][metric.name]
    return None if count < MIN_UNITS or np.isnan(drawn).any() else drawn
