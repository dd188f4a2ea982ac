"""Whether a run is good enough beside the live version, task by task, on the same rows."""

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.metrics import Bootstrap, Difference, Metric, difference_intervals
from polyrank.metrics.comparison import Answers
from polyrank.metrics.evaluation import evaluate
from polyrank.metrics.registry import metrics_of
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, Task

from .findings import TaskGate, Verdict, known
from .sections import EvaluateSection


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The rows that judge.

    Attributes:
        schema: names the tasks.
        labels: float32 [B, T]; NaN where a label does not judge.
        groups: int64 [B]; None where rows have none.
        weights: float32 [B]; None where the schema names no column.
    """

    schema: Schema
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float32] | None

    def of(self, task: Task) -> NDArray[np.float32]:
        """Return the labels of a task that judge, [n]."""
        labels: NDArray[np.float32] = self.labels[:, self.schema.tasks.index(task)]
        return labels[~np.isnan(labels)]


def gates(
    held: HeldOut, tasks: Sequence[Task], answers: tuple[Answers, Answers], settings: EvaluateSection
) -> tuple[TaskGate, ...]:
    """Judge each task of the second of two answers beside the first, which is the live version's.

    A task fails when that end of the interval of the difference which is worse for the new run is worse by more than
    the tolerance: a run goes live when it is shown to be no worse, not when nothing is shown.
    """
    chosen = {task.name: metric_of(held, task, settings) for task in tasks}
    names = {metric.name for task in held.schema.tasks for metric in metrics_of(task, grouped=True)}
    spared = names - {metric.name for metric in chosen.values()}
    bootstrap = Bootstrap(level=settings.level, resamples=settings.resamples, without=spared)
    found = difference_intervals(held.schema, answers, held.labels, held.groups, held.weights, intervals=bootstrap)
    return tuple(
        _judged(held, task, chosen[task.name], found[task.name][chosen[task.name].name], settings) for task in tasks
    )


def first_gates(
    held: HeldOut, tasks: Sequence[Task], answers: Answers, settings: EvaluateSection
) -> tuple[TaskGate, ...]:
    """Measure each task of a run that has nothing to be compared with."""
    found = evaluate(held.schema, answers, held.labels, held.groups, held.weights)
    return tuple(
        TaskGate(
            task=task.name,
            metric=metric.name,
            rows=len(held.of(task)),
            positives=_positives(held, task),
            new=known(found.values[task.name][metric.name]),
            verdict="not judged",
            reason="no version is live",
        )
        for task, metric in ((task, metric_of(held, task, settings)) for task in tasks)
    )


def metric_of(held: HeldOut, task: Task, settings: EvaluateSection) -> Metric:
    """Return the metric that a task is judged by."""
    known = metrics_of(task, grouped=held.groups is not None)
    wanted = settings.metrics.get(task.name, known[0].name)
    return next(metric for metric in known if metric.name == wanted)


def _judged(held: HeldOut, task: Task, metric: Metric, found: Difference, settings: EvaluateSection) -> TaskGate:
    live, new = found.values
    scale = 1.0 if metric.best == "high" else abs(live) or 1.0
    sign = -1.0 if metric.best == "high" else 1.0
    worst = max(sign * end for end in found.interval) / scale
    gate = TaskGate(
        task=task.name,
        metric=metric.name,
        rows=len(held.of(task)),
        positives=_positives(held, task),
        live=known(live),
        new=known(new),
        worse_by=known(sign * found.difference / scale),
        worst=known(worst),
        verdict="not judged",
    )
    verdict, reason = _verdict(gate, settings)
    return msgspec.structs.replace(gate, verdict=verdict, reason=reason)


def _verdict(gate: TaskGate, settings: EvaluateSection) -> tuple[Verdict, str]:
    if gate.rows < settings.min_rows:
        return "not judged", f"{gate.rows:,} labels, of {settings.min_rows:,} that it needs"
    if gate.positives is not None:
        fewer = min(gate.positives, gate.rows - gate.positives)
        if fewer < settings.min_positives:
            of = "1" if fewer == gate.positives else "0"
            return "not judged", f"{fewer:,} labels of {of}, of {settings.min_positives:,} that it needs"
    if gate.worst is None:
        return "not judged", f"{gate.metric} is undefined"
    words = f"{gate.metric} {gate.live:.4f} to {gate.new:.4f}; worse by at most {gate.worst:.4f}"
    if gate.worst > settings.tolerance:
        return "failed", f"{words}, beyond the tolerance of {settings.tolerance:g}"
    return "passed", words


def _positives(held: HeldOut, task: Task) -> int | None:
    return int((held.of(task) == 1).sum()) if isinstance(task, BinaryTask) else None
