"""How the intervals of an evaluation came about, for whoever shows them."""

import dataclasses

from .influence import INFLUENCES
from .results import Result


@dataclasses.dataclass(frozen=True)
class IntervalKinds:
    """The metrics of all rows that have an interval, by how it was found.

    Attributes:
        moved: names of those whose intervals are of how much each row moves the metric.
        resampled: names of those whose intervals are of resamples.
    """

    moved: tuple[str, ...]
    resampled: tuple[str, ...]


def interval_kinds(result: Result) -> IntervalKinds:
    """Part the names of metrics that have an interval by how it was found."""
    names = dict.fromkeys(
        metric.name for task in result.tasks for metric in task.metrics if metric.interval is not None
    )
    moved = tuple(name for name in names if name in INFLUENCES)
    return IntervalKinds(moved, tuple(name for name in names if name not in moved))
