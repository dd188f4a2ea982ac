"""Answered rows with what they are measured by."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.errors import RowError
from polyrank.metrics.comparison import Answers
from polyrank.metrics.observed import Observed
from polyrank.schema import Schema
from polyrank.tasks import Task


class Answerer(Protocol):
    """A model that answers rows: that of a run, of a bundle, or on a server."""

    @property
    def source(self) -> str:
        """The directory or the address that names it."""
        ...

    @property
    def kind(self) -> Literal["run", "bundle", "server"]:
        """What it is."""
        ...

    @property
    def name(self) -> str:
        """Name of the schema, or of the model on its server."""
        ...

    @property
    def run_id(self) -> str:
        """Content hash of the training run."""
        ...

    @property
    def version(self) -> str:
        """The version that answered last; empty where there are none."""
        ...

    @property
    def precision(self) -> str:
        """How exactly it holds its weights, in words: `str` of a `polyrank.signature.Precision`."""
        ...

    @property
    def schema(self) -> Schema:
        """Names features and tasks."""
        ...

    def answer(self, rows: pa.Table) -> Answers:
        """Answer rows.

        Raises:
            DataError: a feature's column is missing, or a value does not fit its feature.
        """
        ...


@dataclasses.dataclass(frozen=True)
class AnsweredRows:
    """Answers and labels of the same rows.

    Attributes:
        schema: names the tasks.
        answers: by task.
        labels: float32 [B, T], NaN where unobserved.
        groups: int64 [B], small numbers, -1 where there is none; None when rows have no groups.
        weights: float32 [B]; None where the schema names no column.
    """

    schema: Schema
    answers: Answers
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Return B."""
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "AnsweredRows":
        """Pick rows."""
        return AnsweredRows(
            self.schema,
            {name: values[rows] for name, values in self.answers.items()},
            self.labels[rows],
            None if self.groups is None else self.groups[rows],
            None if self.weights is None else self.weights[rows],
        )

    def observed(self, task: Task, answers: NDArray[np.floating] | None = None) -> Observed:
        """Return the rows that count for a task, with its answers or with others [B] in their place."""
        labels = self.labels[:, self.schema.tasks.index(task)]
        return Observed.of(self.answers[task.name] if answers is None else answers, labels, self.weights, self.groups)

    def by_task(self) -> Iterator[tuple[Task, Observed]]:
        """Yield each task with the rows that count for it."""
        for task in self.schema.tasks:
            yield task, self.observed(task)


def check_finite(answers: Answers, rows: NDArray[np.int64]) -> None:
    """Refuse answers [n] that are no numbers, which would stand anywhere in an order and in no mean.

    Args:
        answers: to check.
        rows: int64 [n], of which rows they are, ascending, from 0.

    Raises:
        RowError: one is infinite or NaN; the message has the first such row, and the first such task of it.
    """
    flat = {name: values.reshape(len(values), -1) for name, values in answers.items()}
    first_rows = {name: int(np.argmin(np.append(np.isfinite(each).all(axis=1), False))) for name, each in flat.items()}
    name, first = min(first_rows.items(), key=lambda found: found[1])
    if first < len(rows):
        value = next(number for number in flat[name][first].tolist() if not math.isfinite(number))
        raise RowError(
            f"the answer for task {name!r} is {value}",
            int(rows[first]),
            "; a finite number expected: correct the row's features, or train anew with a lower learning rate",
        )


def single_answer_tasks(schema: Schema) -> tuple[Task, ...]:
    """Return the tasks with one answer for a row, which a score can combine."""
    return tuple(task for task in schema.tasks if task.num_answers == 1)


def combined(answers: Answers, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the score of rows, float64 [B]: the answers of tasks weighted and summed, as a server's graph does."""
    parts = [weight * answers[name].astype(np.float64) for name, weight in weights.items()]
    score: NDArray[np.float64] = np.sum(parts, axis=0)
    return score
