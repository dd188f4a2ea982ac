"""Compares arms."""

import numpy as np
from numpy.typing import NDArray

from polyrank.impressions import ARM
from polyrank.labels import groups, label_matrix
from polyrank.rows import Rows, columns_of
from polyrank.schema import Schema
from polyrank.tasks import MulticlassTask, kind_of

from .arms import Arms, read_arms
from .asking import asked_of
from .differences import adjusted, arm_mean, difference
from .results import Comparison, TaskComparison
from .users import arm_sums


def compare(
    schema: Schema,
    rows: Rows,
    *,
    by: str = ARM,
    baseline: str | None = None,
    user: str | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Compare the mean label of each task between arms, with users as what was randomised.

    Args:
        schema: whose tasks are compared; those of classes have no mean.
        rows: joined rows: a column of arms, one of users, labels and what they are observed under.
        by: column of arms; rows without one are left out.
        baseline: the arm that others are compared with; `control` when None, or the first, numbers in their order.
        user: column of users; by default the schema's `group`, or its first categorical feature of users.
        confidence: of intervals, in (0, 1).

    Raises:
        ConfigError: `confidence` is out of range, no column of users is known, no task has a mean, no arm is named
            `baseline`, or `by` has more than 100 values.
        DataError: a column is missing, a label is none of its task, or there are not two arms.
    """
    asked = asked_of(schema, by=by, user=user, confidence=confidence)
    columns = columns_of(rows, asked.columns)
    arms = read_arms(columns[by], groups(columns[asked.user], asked.user), by=by, baseline=baseline)
    labels = label_matrix(asked.schema, columns)
    tasks = [
        _task(task.name, kind_of(task), labels[:, place], arms, confidence)
        for place, task in enumerate(asked.schema.tasks)
    ]
    return Comparison(
        by=by,
        baseline=arms.names[0],
        user=asked.user,
        confidence=confidence,
        arms=arms.sizes,
        tasks=adjusted(tasks),
        shared_users=arms.shared_users,
        outside=arms.outside,
        not_compared=tuple(task.name for task in schema.tasks if isinstance(task, MulticlassTask)),
    )


def _task(name: str, kind: str, labels: NDArray[np.float32], arms: Arms, confidence: float) -> TaskComparison:
    sums = [arm_sums(labels, arms.users, arms.codes == code, arms.num_users) for code in range(len(arms.names))]
    named = list(zip(arms.names, sums, strict=True))
    return TaskComparison(
        task=name,
        kind=kind,
        means=tuple(arm_mean(arm, each, confidence) for arm, each in named),
        differences=tuple(difference(arm, each, sums[0], confidence) for arm, each in named[1:]),
    )
