"""What reads a feature, the labels or the scores of rows that pass by."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.errors import RowError
from polyrank.features import (
    MAX_BUCKETS,
    BagFeature,
    CategoricalFeature,
    DenseFeature,
    Feature,
    HashedFeature,
    PooledFeature,
    SequenceFeature,
    VectorFeature,
)
from polyrank.inspection.encoding import FeatureEncoder
from polyrank.labels import label_matrix
from polyrank.metrics.comparison import Answers
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, MulticlassTask, Task

from .numbers import NumberReading
from .values import ValueReading

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, Any]
Answer = Callable[["pa.Table"], Answers]


class ValueReader:
    """Reads a feature that is hashed.

    Attributes:
        feature: which.
        values: what it holds.
        lengths: how many values each row has, of a feature with several; else None.
        weights: of the values of a weighted bag; else None.
    """

    def __init__(self, feature: HashedFeature, features: Sequence[Feature]) -> None:
        self.feature = feature
        self.values = ValueReading()
        self.lengths = NumberReading() if isinstance(feature, PooledFeature) else None
        self.weights = NumberReading() if feature.num_weights > 0 else None
        self._encoder = FeatureEncoder(_open(feature), features)

    def add(self, columns: Columns) -> None:
        """Read the next rows.

        Raises:
            DataError: a value does not fit the feature; a `RowError` says in which row.
        """
        found = self._encoder.values(columns)
        counts = found.counts
        self.values.add(found.fingerprints, found.num_rows, int((counts == 0).sum()))
        if self.lengths is not None:
            self.lengths.add(counts.astype(np.float32))
        if self.weights is not None and found.weights is not None:
            self.weights.add(found.weights)


class NumberReader:
    """Reads a feature of numbers.

    Attributes:
        feature: which.
        numbers: what it holds.
    """

    def __init__(self, feature: DenseFeature, features: Sequence[Feature]) -> None:
        self.feature = feature
        self.numbers = NumberReading(feature.dim if isinstance(feature, VectorFeature) else 1)
        self._encoder = FeatureEncoder(feature, features)

    def add(self, columns: Columns) -> None:
        """Read the next rows; see `ValueReader.add`."""
        for block in self._encoder.numbers(columns):
            self.numbers.add(block)


class LabelReader:
    """Reads the labels of all tasks of a schema.

    Attributes:
        classes: of multi-class tasks, by task.
        numbers: of any other.
    """

    def __init__(self, schema: Schema) -> None:
        multi = [task.name for task in schema.tasks if isinstance(task, MulticlassTask)]
        self.classes = {name: ValueReading() for name in multi}
        self.numbers = {task.name: NumberReading() for task in schema.tasks if task.name not in multi}
        self._schema = schema

    def add(self, columns: Columns) -> None:
        """Read the next rows.

        Raises:
            DataError: a label is none of its task; a `RowError` says in which row.
        """
        matrix = label_matrix(self._schema, columns)
        by_task = {task.name: labels for task, labels in zip(self._schema.tasks, matrix.T, strict=True)}
        for name, reading in self.numbers.items():
            reading.add(by_task[name])
        for name, classes in self.classes.items():
            observed = by_task[name][~np.isnan(by_task[name])].astype(np.int64)
            classes.add(observed, len(matrix), len(matrix) - len(observed))


class ScoreReader:
    """Reads the answers to rows.

    Args:
        tasks: that are answered.
        answer: answers rows.
        in_columns: whether answers are columns of the rows, in which they may be missing.

    Attributes:
        readings: by task.
    """

    def __init__(self, tasks: Sequence[Task], answer: Answer, *, in_columns: bool = False) -> None:
        self.readings = {task: NumberReading(task.num_answers) for task in tasks}
        self._answer, self._in_columns = answer, in_columns
        self._is_wrong = np.isinf if in_columns else _is_not_finite

    def add(self, rows: "pa.Table") -> None:
        """Read the next rows.

        Raises:
            DataError: an answer is not finite; a `RowError` says in which row.
            PolyrankError: they cannot be answered.
        """
        answers = self._answer(rows)
        for task, reading in self.readings.items():
            scores = answers[task.name]
            wrong = self._is_wrong(scores.reshape(len(scores), -1)).any(axis=1)
            if wrong.any():
                fault = f"score of task {task.name!r} is not finite"
                raise RowError(fault, int(wrong.argmax()), "; a model must answer with numbers")
            reading.add(scores)

    def labels(self) -> Iterator[str]:
        """Yield the columns of scores that are those of labels and hold nothing but 0 and 1."""
        for task, reading in self.readings.items():
            if self._in_columns and isinstance(task, BinaryTask) and task.name == task.label:
                values = np.unique(reading.sample())
                if len(values) > 0 and np.isin(values, (0.0, 1.0)).all():
                    yield task.name


def _is_not_finite(numbers: NDArray[np.float32]) -> NDArray[np.bool_]:
    return ~np.isfinite(numbers)


def _open(feature: HashedFeature) -> HashedFeature:
    """Let an identity feature take ids that have no row: that there are such is drift, and no fault of the data."""
    if isinstance(feature, CategoricalFeature | BagFeature | SequenceFeature) and feature.identity:
        return msgspec.structs.replace(feature, num_buckets=MAX_BUCKETS)
    return feature
