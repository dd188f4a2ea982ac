"""What results say, drawn out of them: the parts that are worse, answers that are off, what sharing changed."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from polyrank.evaluation.findings import Interval, MetricValue
from polyrank.evaluation.results import Result, TaskResult

from .records import Change, Comparison, Difference, Parity

ONE_PER_TASK = "one_per_task"
"""Baseline of a comparison that says whether tasks gain by one another."""

_CHANCE = 0.5
"""Area under the ROC curve of random answers."""

_REAL_ROWS = "sample"
"""Beginning of the kinds of rows that a graph of smaller numbers must answer alike; on others it need be finite."""


def metric_of(task: TaskResult, name: str) -> MetricValue | None:
    """Return a metric of a task; None where it has none of that name."""
    return next((metric for metric in task.metrics if metric.name == name), None)


def is_off(calibration: MetricValue) -> bool:
    """Say whether answers are surely too high or too low in sum."""
    return calibration.interval is not None and _excludes(calibration.interval, 1.0)


def against_chance(metric: str, interval: tuple[float | None, float | None] | None) -> Literal["better", "unclear", ""]:
    """Say whether an area under the ROC curve is above that of random answers; nothing of what is no such area."""
    if metric != "auc" or interval is None or interval[0] is None:
        return ""
    return "better" if interval[0] > _CHANCE else "unclear"


def missed_bins(result: Result, task: str) -> int:
    """Return in how many bins the interval of the mean label leaves out the mean answer."""
    return sum(_excludes(each.interval, each.answer) for each in result.calibration.get(task, ()))


def _excludes(interval: Interval, value: float) -> bool:
    return not interval[0] <= value <= interval[1]


@dataclasses.dataclass(frozen=True)
class Sharing:
    """What a model of all tasks changed in comparison with one for each.

    Attributes:
        model: its name.
        better, worse, unclear: the metrics in which it is.
    """

    model: str
    better: tuple[Change, ...]
    worse: tuple[Change, ...]
    unclear: tuple[Change, ...]


def sharing(comparison: Comparison) -> list[Sharing]:
    """Judge each model, that with the most metrics gained less those lost first."""
    found = []
    for model in dict.fromkeys(change.model for change in comparison.changes):
        own = [change for change in comparison.changes if change.model == model]
        better, worse = (tuple(each for each in own if each.verdict == what) for what in ("better", "worse"))
        found.append(Sharing(model, better, worse, tuple(each for each in own if each not in (*better, *worse))))
    return sorted(found, key=lambda each: len(each.worse) - len(each.better))


def counted(parity: Parity) -> Sequence[Difference]:
    """Return the differences that must be within the tolerance."""
    return [each for each in parity.differences if not parity.is_reduced or each.rows.startswith(_REAL_ROWS)]


def worst(parity: Parity) -> Difference:
    """Return the largest difference that counts; one that is no number is larger than all."""
    return max(
        counted(parity) or parity.differences, key=lambda each: math.inf if each.difference is None else each.difference
    )


def holds(parity: Parity) -> bool:
    """Say whether all differences that count are within the tolerance, in every version that answered."""
    largest = worst(parity).difference
    is_within = largest is not None and largest <= parity.tolerance
    return is_within and all(holds(other) for other in parity.verified)
