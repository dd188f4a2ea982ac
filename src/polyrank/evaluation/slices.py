"""How good each part of the rows is, and which are worse than all rows."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.metrics.observed import Observed
from polyrank.metrics.probabilities import calibration
from polyrank.metrics.registry import Metric, metrics_of
from polyrank.tasks import MulticlassTask, Task

from .answered import AnsweredRows
from .findings import MetricValue, Slice, SlicePart
from .influence import INFLUENCES, influence_interval, numbered
from .parts import Parts

ROUNDING = 1e-9
"""A variance below it, as a share, is 0 but for rounding: the part is all rows."""


@dataclasses.dataclass(frozen=True)
class Whole:
    """The first metric of a task over all rows.

    Attributes:
        value: of the metric.
        counts: bool [B], the rows that have a label and a weight.
        units: int64 [B], what is independent by its number: groups, and rows of none.
        moves: float64 [U], how much the rows of each unit move the value.
        squares: sum of the squares of `moves`.
    """

    value: float
    counts: NDArray[np.bool_]
    units: NDArray[np.int64]
    moves: NDArray[np.float64]
    squares: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """A slice, and how surely its parts are worse.

    Attributes:
        slice: its parts, none of which is judged yet.
        chances: of each part, by task that can be judged: the probability that it would look as bad if it were not.
    """

    slice: Slice
    chances: tuple[dict[str, float], ...]


def wholes(rows: AnsweredRows) -> dict[str, Whole]:
    """Measure all rows, by task; those whose metric is undefined are left out."""
    found, units = {}, numbered(rows.groups, len(rows))
    for index, (task, observed) in enumerate(rows.by_task()):
        value = _value(first_metric(task), observed)
        if math.isnan(value):
            continue
        counts = ~np.isnan(rows.labels[:, index])
        counts &= True if rows.weights is None else rows.weights > 0
        influence = INFLUENCES[first_metric(task).name][0](observed)
        moves = np.bincount(units[counts], influence, minlength=int(units.max(initial=-1)) + 1).astype(np.float64)
        found[task.name] = Whole(value, counts, units, moves, float(moves @ moves))
    return found


def sliced(rows: AnsweredRows, parts: Parts, whole: Mapping[str, Whole], level: float) -> Measured:
    """Measure each part by the first metric of each task."""
    found, chances = [], []
    for place, name in enumerate(parts.names):
        chosen = np.flatnonzero(parts.codes == place)
        part = rows[chosen]
        metrics = {task.name: _first_metric(task, observed, level) for task, observed in part.by_task()}
        found.append(SlicePart(value=name, rows=len(part), metrics=metrics, calibration=dict(_calibrations(part))))
        chances.append(
            {
                task.name: _chance(chosen, observed, metrics[task.name], whole[task.name])
                for task, observed in part.by_task()
                if metrics[task.name].interval is not None
            }
        )
    return Measured(Slice(by=parts.by, kind=parts.kind, parts=tuple(found)), tuple(chances))


def _chance(chosen: NDArray[np.int64], observed: Observed, metric: MetricValue, whole: Whole) -> float:
    """Return the probability that a part looks as bad as it does, or worse, if it is as good as all rows.

    The part is one of the rows that it is compared with: what moves the difference of the two is its own influence less
    theirs, and the variance the sum of the squares of that over units.
    """
    assert metric.value is not None  # noqa: S101 (as it has an interval)
    units = whole.units[chosen[whole.counts[chosen]]]
    moves = np.bincount(units, INFLUENCES[metric.name][0](observed))
    variance = whole.squares - 2 * float(whole.moves[: len(moves)] @ moves) + float(moves @ moves)
    better = metric.value - whole.value if metric.best == "high" else whole.value - metric.value
    return NormalDist().cdf(better / math.sqrt(variance)) if variance > ROUNDING * whole.squares else 1.0


def judged(measured: Sequence[Measured], level: float) -> tuple[Slice, ...]:
    """Say which parts are worse than all rows, so that a share of 1 - level of those named is so by chance.

    Benjamini and Hochberg, Controlling the False Discovery Rate, JRSS B 57, 1995.
    """
    chances = np.sort([chance for each in measured for part in each.chances for chance in part.values()])
    limits = (1 - level) * np.arange(1, len(chances) + 1) / max(1, len(chances))
    limit = float(chances[chances <= limits].max(initial=-1.0))
    return tuple(
        msgspec.structs.replace(
            each.slice,
            parts=tuple(
                msgspec.structs.replace(part, worse=tuple(task for task, chance in own.items() if chance <= limit))
                for part, own in zip(each.slice.parts, each.chances, strict=True)
            ),
        )
        for each in measured
    )


def _first_metric(task: Task, observed: Observed, level: float) -> MetricValue:
    metric = first_metric(task)
    value = _value(metric, observed)
    if math.isnan(value):
        reason = metric.undefined if len(observed) else "no label of it is observed"
        return MetricValue(name=metric.name, best=metric.best, value=None, undefined=reason)
    interval = influence_interval(metric.name, observed, value, level)
    return MetricValue(name=metric.name, best=metric.best, value=value, interval=interval)


def _value(metric: Metric, observed: Observed) -> float:
    return metric.prepare(observed).value(np.ones(len(observed))) if len(observed) else math.nan


def first_metric(task: Task) -> Metric:
    """Return the metric that stands for a task where there is room for one."""
    return metrics_of(task, grouped=False)[0]


def _calibrations(rows: AnsweredRows) -> Iterator[tuple[str, float | None]]:
    for task, observed in rows.by_task():
        if isinstance(task, MulticlassTask) or not len(observed):
            yield task.name, None
            continue
        ratio = calibration(observed).value(np.ones(len(observed)))
        yield task.name, None if np.isnan(ratio) else ratio
