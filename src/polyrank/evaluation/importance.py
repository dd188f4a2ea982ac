"""Permutation importance: how much worse answers become when a column no longer tells rows apart.

Breiman, Random Forests, Machine Learning 45, 2001, section 10; Fisher, Rudin and Dominici, All Models are Wrong, but
Many are Useful, JMLR 20, 2019, who call it model reliance. Columns are shuffled one at a time, so what two
of them tell alike shows in neither.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.features import BagFeature
from polyrank.files import Progress
from polyrank.metrics.comparison import Answers
from polyrank.metrics.evaluation import group_codes
from polyrank.metrics.observed import Observed
from polyrank.metrics.registry import Metric, metrics_of
from polyrank.schema import Schema

from .asking import ROWS_PER_CALL, Answer, asked
from .findings import Importance, Importances


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Rows with what they are measured by.

    Attributes:
        table: one row or more, with the columns of the schema's features.
        labels: float32 [B, T], NaN where unobserved.
        groups: int64 [B], such as the user of each row, -1 is none; None where rows have no groups.
        weights: float32 [B] of the rows; None weighs all alike.
    """

    table: pa.Table
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None


def importances(
    schema: Schema,
    answer: Answer,
    rows: LabelledRows,
    *,
    shuffles: int = 3,
    generator: np.random.Generator,
    progress: Progress = lambda _done, _total: None,
) -> Importances:
    """Shuffle each column between rows, and measure each task by its first metric.

    Args:
        schema: its features say which columns there are; weights of a bag are shuffled with the bag.
        answer: answers rows; asked `(1 + columns * shuffles) * B` in all, several shuffles at once.
        rows: to shuffle in.
        shuffles: of each column, 1 or more.
        generator: of the orders.
        progress: is told how many rows are answered.

    Returns:
        What each column is worth; tasks whose metric is undefined on these rows are left out.
    """
    measure = _Measure(schema, rows)
    base = {task: value for task, value in measure(asked(answer, rows.table)).items() if not math.isnan(value)}
    together = _shuffled_together(schema) if base else []
    asking = _Asking(answer, rows.table.num_rows, progress, tables=len(together) * shuffles)
    tables = _shuffled(rows.table, [columns for columns in together for _ in range(shuffles)], generator)
    found = [measure.costs(base, answers) for answers in asking.each(tables)]
    columns = [
        _importance(columns[0], base, found[place * shuffles : (place + 1) * shuffles])
        for place, columns in enumerate(together)
    ]
    return Importances(
        rows=rows.table.num_rows,
        shuffles=shuffles,
        metrics={task: measure.metrics[task].name for task in base},
        base=base,
        columns=tuple(sorted(columns, key=lambda each: -_largest_share(each, base))),
    )


class _Measure:
    """The first metric of each task, of answers to the same rows."""

    def __init__(self, schema: Schema, rows: LabelledRows) -> None:
        self._tasks = [task.name for task in schema.tasks]
        self._rows = rows
        self._groups = None if rows.groups is None else group_codes(rows.groups)
        is_grouped = rows.groups is not None
        self.metrics: dict[str, Metric] = {task.name: metrics_of(task, grouped=is_grouped)[0] for task in schema.tasks}

    def __call__(self, answers: Answers) -> dict[str, float]:
        """Return the metric by task, NaN where undefined."""
        return {task: self._value(task, index, answers[task]) for index, task in enumerate(self._tasks)}

    def costs(self, base: Mapping[str, float], answers: Answers) -> dict[str, float]:
        """Return how much worse answers are than at `base`, by task of it."""
        values = self(answers)
        return {task: self.metrics[task].cost(values[task]) - self.metrics[task].cost(base[task]) for task in base}

    def _value(self, task: str, index: int, answers: NDArray[np.float32]) -> float:
        observed = Observed.of(answers, self._rows.labels[:, index], self._rows.weights, self._groups)
        return self.metrics[task].prepare(observed).value(np.ones(len(observed)))


class _Asking:
    """Has tables of as many rows answered, several in a call."""

    def __init__(self, answer: Answer, rows: int, progress: Progress, *, tables: int) -> None:
        """Prepare for tables of so many rows, after one that is answered already."""
        self._answer, self._rows, self._progress = answer, rows, progress
        self._done, self._total = rows, (1 + tables) * rows

    def each(self, tables: Iterator[pa.Table]) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Give the answers to one table after another."""
        while some := list(itertools.islice(tables, max(1, ROWS_PER_CALL // self._rows))):
            answers = asked(self._answer, pa.concat_tables(some))
            self._done += len(some) * self._rows
            self._progress(self._done, self._total)
            for start in range(0, len(some) * self._rows, self._rows):
                yield {task: values[start : start + self._rows] for task, values in answers.items()}


def _shuffled_together(schema: Schema) -> list[tuple[str, ...]]:
    """Part the columns of features, in their order: a bag has as many weights as values, and so they keep together."""
    parts: list[tuple[str, ...]] = [(column,) for column in schema.feature_columns]
    for bag in (feature for feature in schema.features if isinstance(feature, BagFeature)):
        joined = [part for part in parts if not set(bag.columns).isdisjoint(part)]
        first = parts.index(joined[0])
        parts = [part for part in parts if part not in joined]
        parts.insert(first, tuple(itertools.chain.from_iterable(joined)))
    return parts


def _shuffled(
    rows: pa.Table, together: Sequence[tuple[str, ...]], generator: np.random.Generator
) -> Iterator[pa.Table]:
    """Give a table for each part of the columns, in which they alone are in another order."""
    for columns in together:
        order = generator.permutation(rows.num_rows)
        table = rows
        for name in columns:
            table = table.set_column(rows.column_names.index(name), name, rows[name].take(order))
        yield table


def _importance(column: str, base: Mapping[str, float], costs: Sequence[Mapping[str, float]]) -> Importance:
    losses = {task: [each[task] for each in costs] for task in base}
    return Importance(
        column=column,
        losses={task: math.fsum(values) / len(values) for task, values in losses.items()},
        ranges={task: (min(values), max(values)) for task, values in losses.items()},
    )


def _largest_share(importance: Importance, base: Mapping[str, float]) -> float:
    """Return the largest loss of a task as a share of its base value; of one without errors any loss is infinite."""
    return max(
        loss / abs(base[task]) if base[task] else math.copysign(math.inf, loss) if loss else 0.0
        for task, loss in importance.losses.items()
    )
