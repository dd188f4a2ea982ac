"""How good answers are, by task."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.schema import Schema
from polyrank.tasks import Task

from .intervals import Bootstrap, Interval, percentile_interval, resampled
from .observed import Observed
from .registry import Metric, metrics_of
from .statistics import Counting, Statistic

Metrics = dict[str, dict[str, float]]
"""Metric by name, by task name."""

NO_ROWS = "none of its labels is observed in a row of weight above 0"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics and what they rest on, each by task name.

    Attributes:
        values: metric by name; NaN where undefined.
        undefined: why, by name of the metric.
        counts: `rows`, those that count, and what single metrics rest on, such as `gauc.groups` and
            `gauc.skipped_groups`.
        intervals: confidence interval by name of the metric; none where none were asked for.
    """

    values: Metrics
    undefined: dict[str, dict[str, str]]
    counts: dict[str, dict[str, int]]
    intervals: dict[str, dict[str, Interval]]


def evaluate(
    schema: Schema,
    answers: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.float32],
    groups: NDArray[np.int64] | None = None,
    weights: NDArray[np.float32] | None = None,
    *,
    intervals: Bootstrap | None = None,
) -> Evaluation:
    """Score answers against observed labels.

    Rows of weight 0 do not count. Weights act in every metric as if a row were there as often, but in `ndcg@10` and
    `recall@10`, where they weigh groups and not the rows in them, and in the size of the bins of `calibration_error`.

    Args:
        schema: names the tasks.
        answers: finite float32 [B] by task, in label units; [B, num_classes] of a multi-class task.
        labels: float32 [B, T], NaN where unobserved.
        groups: int64 [B], such as the user of each row; -1 is none.
        weights: float32 [B] of the rows, 0 and above; None weighs all alike.
        intervals: how to find confidence intervals; None finds none.

    Returns:
        The metrics that `metric_names` lists for each task, NaN with a reason where undefined.
    """
    codes = None if groups is None else group_codes(groups)
    found = {
        task.name: _evaluate(task, Observed.of(answers[task.name], labels[:, index], weights, codes), intervals)
        for index, task in enumerate(schema.tasks)
    }
    fields = dataclasses.fields(Evaluation)
    return Evaluation(**{field.name: {task: part[field.name] for task, part in found.items()} for field in fields})


def headline(schema: Schema, metrics: Metrics) -> Metrics:
    """Return the metrics that are shown where there is one line for all tasks."""
    return {
        task.name: {
            metric.name: metrics[task.name][metric.name]
            for metric in metrics_of(task, grouped=True)
            if metric.is_headline and metric.name in metrics[task.name]
        }
        for task in schema.tasks
    }


def group_codes(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number groups, int64 [B], in the order of their first row; -1 stays."""
    known = groups >= 0
    codes = np.full(len(groups), -1)
    codes[known] = pa.array(groups[known]).dictionary_encode().indices.to_numpy()
    return codes


def prepared(task: Task, observed: Observed, bootstrap: Bootstrap | None = None) -> dict[Metric, Statistic]:
    """Prepare the metrics of a task, or those that are resampled."""
    metrics = metrics_of(task, grouped=observed.groups is not None)
    return {metric: metric.prepare(observed) for metric in metrics if bootstrap is None or _wants(bootstrap, metric)}


def _wants(bootstrap: Bootstrap, metric: Metric) -> bool:
    return (metric.is_headline or not bootstrap.headline_only) and metric.name not in bootstrap.without


def _evaluate(task: Task, observed: Observed, bootstrap: Bootstrap | None) -> dict[str, Any]:
    statistics = prepared(task, observed)
    once = np.ones(len(observed))
    values = {metric: statistic.value(once) for metric, statistic in statistics.items()}
    undefined = [metric for metric, value in values.items() if math.isnan(value)]
    return {
        "values": {metric.name: value for metric, value in values.items()},
        "undefined": {metric.name: metric.undefined if len(observed) else NO_ROWS for metric in undefined},
        "counts": {"rows": len(observed)} | _counts(statistics),
        "intervals": {} if bootstrap is None else _intervals(statistics, observed, bootstrap),
    }


def _counts(statistics: Mapping[Metric, Statistic]) -> dict[str, int]:
    return {
        f"{metric.name}.{what}": number
        for metric, statistic in statistics.items()
        if isinstance(statistic, Counting)
        for what, number in statistic.counts.items()
    }


def _intervals(statistics: Mapping[Metric, Statistic], observed: Observed, bootstrap: Bootstrap) -> dict[str, Interval]:
    wanted = {metric.name: statistic for metric, statistic in statistics.items() if _wants(bootstrap, metric)}
    values = resampled(wanted, observed, bootstrap)
    return {name: percentile_interval(values[name], bootstrap.level) for name in wanted}
