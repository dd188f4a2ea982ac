"""What another model's answers to the same rows change, with confidence intervals."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.schema import Schema
from polyrank.tasks import Task

from .evaluation import group_codes, prepared
from .intervals import Bootstrap, Interval, percentile_interval, resampled
from .observed import Observed

Answers = Mapping[str, NDArray[np.float32]]
"""By task, float32 [B]; [B, num_classes] of a multiclass task."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much a metric changes from a first model to a second one.

    Attributes:
        values: of the first and of the second.
        difference: the second value less the first; NaN where one of them is undefined.
        interval: confidence interval of the difference; where it holds 0, the rows do not tell the models apart.
    """

    values: tuple[float, float]
    difference: float
    interval: Interval


def difference_intervals(
    schema: Schema,
    answers: tuple[Answers, Answers],
    labels: NDArray[np.float32],
    groups: NDArray[np.int64] | None = None,
    weights: NDArray[np.float32] | None = None,
    *,
    intervals: Bootstrap,
) -> dict[str, dict[str, Difference]]:
    """Compare two models by their `answers` to the same rows; the rest is as `evaluate` takes it.

    Each resample of the rows scores both models, so that what is hard for both is in neither's favour, and the interval
    is narrower than those of the single metrics suggest.

    Returns:
        Difference by name of the metric, by task name.
    """
    codes = None if groups is None else group_codes(groups)
    compared = {}
    for index, task in enumerate(schema.tasks):
        first, second = (Observed.of(own[task.name], labels[:, index], weights, codes) for own in answers)
        compared[task.name] = _differences(task, first, second, intervals)
    return compared


def _differences(task: Task, first: Observed, second: Observed, bootstrap: Bootstrap) -> dict[str, Difference]:
    once = np.ones(len(first))
    values, drawn = [], []
    for observed in (first, second):
        metrics = prepared(task, observed, bootstrap)
        statistics = {metric.name: statistic for metric, statistic in metrics.items()}
        values.append({name: statistic.value(once) for name, statistic in statistics.items()})
        drawn.append(resampled(statistics, observed, bootstrap))
    return {
        name: Difference(
            (value, values[1][name]),
            values[1][name] - value,
            percentile_interval(drawn[1][name] - drawn[0][name], bootstrap.level),
        )
        for name, value in values[0].items()
    }
