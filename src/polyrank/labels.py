"""What rows are measured by: labels as one matrix, weights, groups."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import numbers
from polyrank.errors import DataError, RowError
from polyrank.fingerprint import fingerprint
from polyrank.rows import Column
from polyrank.schema import Schema
from polyrank.tasks import Task, kind_of


def label_matrix(schema: Schema, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    """Read the labels, float32 [B, T]; NaN where the label is null or the task's `when` is not 1.

    Raises:
        DataError: a label is not a number, or none of its task.
    """
    return np.stack([_labels(task, columns) for task in schema.tasks], axis=1)


def sample_weights(schema: Schema, columns: Mapping[str, Column]) -> NDArray[np.float32] | None:
    """Read the weights of the rows, float32 [B]; None where the schema names no column.

    Raises:
        DataError: a weight is missing, negative or no number.
    """
    if schema.sample_weight is None:
        return None
    weights = numbers(columns[schema.sample_weight], schema.sample_weight)
    wrong = ~(weights >= 0)
    if wrong.any():
        row = int(wrong.argmax())
        held = "is missing" if np.isnan(weights[row]) else f"holds {weights[row]:g}"
        fault = f"weight column {schema.sample_weight!r} {held}"
        raise RowError(fault, row, "; numbers of 0 and above expected")
    return weights


def mean_weight(schema: Schema, weights: NDArray[np.float32]) -> float:
    """Return the mean weight of training rows, which divides each, so that their unit does not act as a learning rate.

    Raises:
        DataError: all are 0.
    """
    mean = float(weights.mean(dtype=np.float64).astype(np.float32))
    if mean == 0.0:
        raise DataError(f"weight column {schema.sample_weight!r} is 0 in every training row; nothing is left to learn")
    return mean


def groups(column: Column, name: str) -> NDArray[np.int64]:
    """Read the group column as fingerprints, int64 [B], -1 where missing: a value is one group however it arrives.

    Raises:
        DataError: a value has no canonical form as text.
    """
    return fingerprint(column, dtype="text", column=name)


def _labels(task: Task, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    labels = numbers(columns[task.label], task.label)
    wrong = task.refused(labels)
    if wrong.any():
        row = int(wrong.argmax())
        held = f"label column {task.label!r} holds {labels[row]:g}"
        raise RowError(held, row, f"; {task.expected_labels} expected for a {kind_of(task)} task (task {task.name!r})")
    if task.when is not None:
        given = numbers(columns[task.when], task.when)
        wrong = ~(np.isnan(given) | (given == 0) | (given == 1))
        if wrong.any():
            row = int(wrong.argmax())
            held = f"column {task.when!r} holds {given[row]:g}"
            raise RowError(held, row, f"; 0 and 1 expected of what a task is observed under (task {task.name!r})")
        labels[given != 1] = np.nan
    return labels
