"""Label columns as one matrix."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import numbers
from polyrank.errors import DataError
from polyrank.rows import Column
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, Task


def label_matrix(schema: Schema, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    """Read the labels, float32 [B, T]; NaN where the label is null or the task's `when` is not 1.

    Raises:
        DataError: a label is not a number, a binary one is not 0 or 1, or one under log1p is negative.
    """
    return np.stack([_labels(task, columns) for task in schema.tasks], axis=1)


def _labels(task: Task, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    labels = numbers(columns[task.label], task.label)
    if isinstance(task, BinaryTask):
        _refuse(task, labels, (labels != 0) & (labels != 1), "0 or 1 expected for a binary task")
    elif task.transform == "log1p":
        _refuse(task, labels, labels < 0, "0 or above expected under log1p")
    if task.when is not None:
        labels[numbers(columns[task.when], task.when) != 1] = np.nan
    return labels


def _refuse(task: Task, labels: NDArray[np.float32], wrong: NDArray[np.bool_], expected: str) -> None:
    wrong = wrong & ~np.isnan(labels)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"label column {task.label!r} holds {labels[row]:g} at row {row + 1:,}; {expected} (task {task.name!r})"
        )
