"""What the data say of labels."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import numbers
from polyrank.tasks import BinaryTask, Task, kind_of

from .findings import Finding, Level, TaskFacts

RARE = 0.001


class LabelInspector:
    """The label of one task."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.is_binary = isinstance(task, BinaryTask)
        self.columns = (task.label,) if task.when is None else (task.label, task.when)
        self.observed, self.total, self.refused = 0, 0.0, 0
        self.low, self.high = np.inf, -np.inf

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows.

        Raises:
            DataError: a label is no number.
        """
        labels = labels_of(self.task, columns)
        labels = labels[~np.isnan(labels)]
        self.observed += len(labels)
        self.total += float(labels.sum())
        self.low, self.high = float(labels.min(initial=self.low)), float(labels.max(initial=self.high))
        self.refused += int(self.task.refused(labels).sum())

    def facts(self, rows: int) -> TaskFacts:
        """Describe the label, after the last of `rows` rows."""
        mean = self.total / self.observed if self.observed else None
        return TaskFacts(name=self.task.name, kind=kind_of(self.task), observed=self.observed / rows, mean=mean)

    def findings(self) -> Iterator[Finding]:
        """Judge, after the last row."""
        found = self._verdict()
        if found is not None:
            level, message = found
            yield Finding(level=level, check="label", column=self.task.label, message=f"{message} ({self.task.name})")

    def _verdict(self) -> tuple[Level, str] | None:
        if self.observed == 0:
            return "error", "no row has a label that counts; correct label or when, or leave the task out"
        if self.refused:
            expected = self.task.expected_labels
            return "error", f"{self.refused:,} labels are refused, {expected} expected; correct them or make them null"
        if self.low == self.high:
            return "error", f"every label is {self.low:g}, and there is nothing to learn; bring rows with another label"
        rate = self.total / self.observed
        if self.is_binary and not RARE <= rate <= 1 - RARE:
            return "warning", f"{rate:.3%} of labels are 1; bring more rows, or the task learns little but that rate"
        return None


def labels_of(task: Task, columns: Mapping[str, Any]) -> NDArray[np.float64]:
    """Read a task's labels, float64 [B]; NaN where the label is null or `when` is not 1."""
    labels = numbers(columns[task.label], task.label).astype(np.float64)
    if task.when is not None:
        labels[numbers(columns[task.when], task.when) != 1] = np.nan
    return labels
