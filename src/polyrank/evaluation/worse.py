"""The parts of the rows that are worse than all of them."""

import dataclasses

from .findings import MetricValue
from .results import Result

CAVEAT = (
    "Where the column itself tells labels apart, the AUC within its parts lies below that of all rows, whoever it is "
    "of: compare such parts with one another."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorsePart:
    """A part of the rows in which a task is worse than over all rows.

    Attributes:
        by: what is sliced by.
        value: of the part.
        rows: how many.
        task: which.
        metric: of the part.
        whole: the metric of all rows.
    """

    by: str
    value: str
    rows: int
    task: str
    metric: MetricValue
    whole: MetricValue

    @property
    def weight(self) -> float:
        """How much is lost: rows times the difference, as a share of the value of all rows."""
        if self.metric.value is None or not self.whole.value:
            return 0.0
        return self.rows * abs(self.metric.value - self.whole.value) / abs(self.whole.value)


def worse_parts(result: Result) -> list[WorsePart]:
    """Return the parts that are worse, one for each value and task, those in which most is lost first."""
    whole = {task.task: task.metrics[0] for task in result.tasks if task.metrics}
    found = [
        WorsePart(by=cut.by, value=part.value, rows=part.rows, task=task, metric=part.metrics[task], whole=whole[task])
        for cut in result.slices
        for part in cut.parts
        for task in part.worse
        if task in whole and task in part.metrics
    ]
    return sorted(found, key=lambda part: -part.weight)


def num_judged(result: Result) -> int:
    """Return how many parts could be found worse, one for each value and task."""
    metrics = [metric for cut in result.slices for part in cut.parts for metric in part.metrics.values()]
    return sum(metric.interval is not None for metric in metrics)


def how_many_words(result: Result) -> str:
    """Say how many parts are worse, and how many of them by chance."""
    worse, judged = len(worse_parts(result)), num_judged(result)
    named = f"; about {100 * (1 - result.level):.3g}% of such are so by chance" if worse else ""
    return f"Of {judged:,} parts, one for each value and task, {worse:,} are worse than all rows, beyond chance{named}."
